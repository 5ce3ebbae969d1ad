/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A second wall around programs that work on what strangers made: unpackers of archives, virtual machines. */
#include <stddef.h>

/*
 * From now on this process and its children gain no privileges by exec and, where the kernel has Landlock, open for writing, make,
 * change and remove nothing but what lies beneath these directories, or is one of these files. Descriptors that are open are not
 * concerned. 0, also on kernels without Landlock, or where it is not allowed; negative errno. Async-signal-safe.
 */
int confine_writes(const int *fds, size_t n);
