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
    int boot;         /* where the boot's identity will be read from; of a copy only, else negative */
} Session;

/* The port's callbacks, with the Agent as userdata. */
void session_on_frame(void *userdata, uint32_t session, const uint8_t *payload, size_t size);
bool session_begins(void *userdata, const uint8_t *payload, size_t size);
void session_on_hangup(void *userdata);
