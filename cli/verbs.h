/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The functions of the verbs, for the table in verbs.c. Each returns an exit status and has said what went wrong. */
#include "cli/verb.h"

/* false, true. */
extern const EnumTable truth_table;

int verb_check(Context *c);
int verb_explain(Context *c);
int verb_list(Context *c);
int verb_status(Context *c);
int verb_control(Context *c);
int verb_reload(Context *c);
int verb_wait(Context *c);
int verb_exec(Context *c);
int verb_attach(Context *c);
int verb_cp(Context *c);
int verb_top(Context *c);
int verb_stats(Context *c);
int verb_agent(Context *c);
int verb_analyze(Context *c);
int verb_analyze_blame(Context *c);
int verb_analyze_chain(Context *c);
int verb_analyze_plot(Context *c);
int verb_image_import(Context *c);
int verb_image_pull(Context *c);
int verb_image_list(Context *c);
int verb_network_list(Context *c);
int verb_image_remove(Context *c);
int verb_image_prune(Context *c);
int verb_image_tag(Context *c);
int verb_image_verify(Context *c);
int verb_checkpoint_show(Context *c);
int verb_template_list(Context *c);
int verb_template_build(Context *c);
int verb_doctor(Context *c);
int verb_backends(Context *c);
int verb_logs(Context *c);
int verb_events(Context *c);
