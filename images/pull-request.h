/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How podvisord has an image pulled: it has no network, and never waits. What is wanted stands in a file below its run directory, and
 * podvisor-puller, a process of its own, does it.
 *
 *     pulls/<id>.request     what is to be pulled, written by podvisord; the puller removes it when it is done, whatever came of it
 *     pulls/<id>.failure     why it came to nothing, in words, written before the request goes
 *
 * The id is made of the reference, so whoever wants the same wants it once. A request that stays though no puller is at work was left by
 * one that was killed.
 */
#include "schemas/schema.h"

enum {
    PULL_ID_SIZE = 33,             /* 32 hexadecimal digits, NUL */
    PULL_FAILURE_SIZE_MAX = 16384, /* bytes of a failure's words */
};

typedef struct PullRequest {
    char *reference;
    bool insecure;  /* as PullOptions has it */
    usec_t timeout; /* of what is fetched */
    Bytes extra;
} PullRequest;
extern const Schema pull_request_schema;

void pull_request_id(const char *reference, char ret[PULL_ID_SIZE]);
bool pull_request_id_valid(const char *id);

/* In the directory of requests: writes it, and takes away what became of an earlier one. */
int pull_request_write(int pulls, const PullRequest *request);
/* Nobody wants it any more. */
int pull_request_remove(int pulls, const char *id);

enum { PULL_REQUEST_WAITS = 1 };
/* 0: it was pulled. PULL_REQUEST_WAITS: it is still there. -EIO: it came to nothing, and *ret_why says why. Others: could not tell. */
int pull_request_look(int pulls, const char *id, char **ret_why);

/* The puller's part: does it, and writes down what came of it. 0, also when it failed and that is written; else negative errno. */
int pull_request_serve(int pulls, int state_dir, const char *id, char *const *environment);
