/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the times of a start (schemas/start-times.h) say: points in time on the host's clock, each with what it waited for. Pure.
 *
 * Theory of operation
 * -------------------
 * Each mark that is known, and each step of a container, becomes a point. What it waited for are edges; the one of them that was done last is
 * `before`, and from there to the point is the point's own time. Of a mark that is not known, what that waited for takes its place, so
 * that a start of which less is known has fewer points, each with more time, and no gaps. Going back from the last point by `before`
 * gives the critical chain, whose times add up to the whole: the sums of the parts are those of the chain.
 *
 * A guest's times are believed as far as they can be true: not before the machine was there and not after what came of them on the
 * host. What is beyond that is moved; what is beyond it by more than two clocks can go apart (START_SLACK, and a part of the time since or
 * until they were compared) is unknown: the boot of a guest that was restored, the word of an agent that lies.
 */
#include "schemas/start-times.h"

/* By how much two clocks may have gone apart, besides the doubt about where they stood; and of a time, one part in so many. */
#define START_SLACK (20 * USEC_PER_MSEC)
#define START_DRIFT 4

enum { START_CONTAINERS_MAX = 32, START_POINTS_MAX = START_MARK_MAX + START_CONTAINERS_MAX * START_STEP_MAX };

typedef enum StartOutcome {
    START_UNKNOWN,   /* there are no marks: it was never started, or by an older podvisor */
    START_UNDER_WAY, /* it is neither ready nor over */
    START_FINISHED,  /* the pod has been ready */
    START_FAILED,    /* the machine ended before */
    START_OUTCOME_MAX,
} StartOutcome;
extern const EnumTable start_outcome_table;

typedef struct StartPoint {
    const char *word;      /* of the mark or step; static */
    const char *container; /* NULL: it is the pod's; borrowed from the times */
    const char *doc;       /* static */
    StartPart part;
    bool guest; /* its time is the guest's */
    usec_t at;  /* CLOCK_MONOTONIC of the host */
    int before; /* the point that it waited for last; -1: none */
    usec_t took;
    bool critical; /* on the chain */
} StartPoint;

typedef struct StartEdge {
    int point, waited_for;
} StartEdge;

typedef struct StartAnalysis {
    StartOutcome outcome;
    StartPoint points[START_POINTS_MAX]; /* each after all that it waited for */
    int n_points;
    StartEdge edges[2 * START_POINTS_MAX];
    int n_edges;
    int last; /* where the chain ends; -1: nothing is known */
    usec_t begin, end, total;
    usec_t parts[START_PART_MAX];
    usec_t doubt;      /* of the guest's times; 0: they are not known */
    usec_t tick;       /* of the guest's clock */
    bool guest_silent; /* the agent was met, and told no times: it is of an older podvisor */
} StartAnalysis;

/* now: CLOCK_MONOTONIC, where a start ends that is under way. ret borrows from t. */
void start_analyse(const StartTimes *t, usec_t now, StartAnalysis *ret);

/* Indices of all points in the order of their times, or by how long they took, longest first. */
void start_order_by_time(const StartAnalysis *a, int order[START_POINTS_MAX]);
void start_order_by_length(const StartAnalysis *a, int order[START_POINTS_MAX]);
