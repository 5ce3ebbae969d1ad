/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a machine's runner asks of libvirt, one job for each. They run in the worker's thread and touch nothing but the Job.
 *
 * A domain is ours when it has our UUID, and metadata of podvisor's with our UUID and directory. A domain that is not is never touched,
 * with one exception: one of our name, whose metadata has our directory and another UUID, is what a daemon that hung made of an
 * earlier attempt after that had been given up; it holds no machine lock, or there would be no start.
 */
#include "backends/libvirt/worker.h"

/* emulator, machine -> kvm, uid, security_model. */
int domain_call_probe(Worker *w, virConnectPtr connection, Job *job);
/* uuid, name, vm_dir, xml -> facts of the domain, which was made paused, or was there already and is ours. -EEXIST: it would stand in
 * another's place, and `why` names that. */
int domain_call_create(Worker *w, virConnectPtr connection, Job *job);
/* uuid, vm_dir -> facts. Not there is no error. */
int domain_call_look(Worker *w, virConnectPtr connection, Job *job);
/* uuid, vm_dir. -ENOENT: there is no such domain. -EEXIST: it is not ours. */
int domain_call_suspend(Worker *w, virConnectPtr connection, Job *job);
int domain_call_resume(Worker *w, virConnectPtr connection, Job *job);
int domain_call_destroy(Worker *w, virConnectPtr connection, Job *job);
