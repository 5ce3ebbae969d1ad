/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * After a fork(2) both sides share their pages, and the first write to each is a fault and a copy. Of processes that are saved in a template
 * and go on in its copies, each copy would have that to do; here it is done before.
 */

/* Each page that this process may write is there, and nobody else's. 0 or negative errno: then all goes on without. */
int memory_own(void);
