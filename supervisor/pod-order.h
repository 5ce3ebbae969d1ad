/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the order of pods (schemas/order.h) means for one pod: facts about its neighbours, for reconcile().
 *
 * Theory of operation
 * -------------------
 * Each pod keeps what its neighbours may ask of it as a few bits (order_bits). Whenever a fact about the pod changes they are
 * made anew, and when they differ, the neighbours are due. So what one pod's change means for the others is known before
 * any of them takes a step: when a file is gone or an operator stops a pod, all that require it, through whatever others,
 * are known to end before the first one is told to.
 *
 *     the pod it names is            a start waits        with `requires`, what runs ends
 *     not declared                   yes                  no
 *     to run, not ready              yes                  no
 *     ready, or has succeeded        no                   no
 *     held                           only of `requires`   yes, first
 *     not to start by itself         only of `requires`, which starts it
 *     failed for good                only of `requires`   yes
 *     to be removed, replaced,
 *       restarted, or itself ends    yes                  yes, first
 *
 * A pod whose end is due waits for the end of all who come after it and are to end too. On a circle nothing is started; there, the order
 * of ends is no one's.
 */
#include "schemas/order.h"
#include "supervisor/pod.h"

/* The definition, or what is left of an earlier one, says this; lines of its file. */
void pod_order_say(Pod *pod, const PodDefinition *definition, PodLines lines);
/* The pod is about to be freed. */
void pod_order_forget(Pod *pod);
/* A fact has changed. */
void pod_order_update(Pod *pod);
/* Just before a decision: who is waited for. */
void pod_order_look(Pod *pod);
/* OrderFunc: a circle through the pod has come, changed or gone; userdata is the Supervisor. */
void pod_order_cycle(void *userdata, const OrderNode *node);

/* What is wrong with the pod's order: "FILE:LINE: ..."; NULL: nothing, or no memory. The caller frees. */
char *pod_order_error(const Pod *pod);
/* Of a pod whose start waits: somebody it waits for comes only when an operator does something. */
bool pod_order_awaits_operator(const Pod *pod);
/* Whom the pod's start, or its end, is waiting for: names, and in words. Both are appended to; 0 or -ENOMEM. */
int pod_order_waits(const Pod *pod, char ***names, char ***words);
