/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Who speaks on the port: the runner that showed the boot's token last. Frames of any other session are dropped, except a
 * hello, which may begin a new one.
 */
#include "schemas/agent.h"

typedef struct Agent Agent;

typedef struct Session {
    bool stands;
    uint32_t number;
    bool token_known;
    Id128 token;
    uint64_t dropped; /* frames that were for nobody, or no message */
} Session;

/* This machine is to be copied: whoever says hello next, in a copy, is the first again. 0, or -EBUSY: something runs already. */
int session_begin_template(Agent *a);

/* The port's callbacks, with the Agent as userdata. */
void session_on_frame(void *userdata, uint32_t session, const uint8_t *payload, size_t size);
bool session_begins(void *userdata, const uint8_t *payload, size_t size);
void session_on_hangup(void *userdata);
