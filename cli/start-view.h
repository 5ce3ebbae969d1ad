/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A pod's start (cli/start-analysis.h) as people and programs read it. Functions that write: 0 or negative errno. */
#include "cli/start-analysis.h"
#include "cli/terminal.h"
#include "schemas/pod-status.h"

/* "1min 2.345s", "1.234s", "87ms", "3.4ms", "250us". The caller frees; NULL = no memory. */
char *start_span(usec_t time);

/* "web created", "init": what a point is called. The caller frees; NULL = no memory. */
char *start_point_name(const StartPoint *p);

/* One line: how long each part took. Of a start that failed or goes on, how far it came; of one of which nothing is known, why. */
int start_print_summary(const PodStatus *pod, const StartAnalysis *a, usec_t now, FILE *f);
/* All steps, those that took longest first. */
int start_print_blame(const StartAnalysis *a, bool colours, FILE *f);
/* What the end of the start waited for, and what that waited for, down to its beginning. */
int start_print_chain(const StartAnalysis *a, bool legend, bool colours, FILE *f);
/* The steps as bars over a time axis. */
int start_print_svg(const PodStatus *pod, const StartAnalysis *a, FILE *f);

/* NULL: no memory. */
Json *start_summary_json(const PodStatus *pod, const StartAnalysis *a);
/* points: n of the points, in this order. */
Json *start_points_json(const PodStatus *pod, const StartAnalysis *a, const int *points, int n);
/* The chain, from its end; returns how many points it has. */
int start_chain(const StartAnalysis *a, int points[START_POINTS_MAX]);
