/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The other end of an agent client: a socket, in the same process and the same loop. It says whatever a test wants. */
#include "runner/agent-client.h"
#include "tests/unit/test.h"

typedef struct FakeAgent {
    sd_event *event;
    int fd;
    uint32_t session; /* of the last hello */
    FrameDecoder decoder;
    Message last; /* what fake_expect() returned */
} FakeAgent;

/* Makes a loop, a fake agent, and a client of it. The client's hello_timeout is for ever. */
void fake_init(FakeAgent *f, const AgentCallbacks *callbacks, void *userdata, AgentClient **ret);
/* Plays on this end of a channel (taken), in this loop. */
void fake_init_channel(FakeAgent *f, sd_event *event, int fd);
void fake_done(FakeAgent *f);

/* Runs the loop until nothing is left to do at once. */
void fake_run(FakeAgent *f);
/* The next message of the client, which must be of this type; its body, valid until the next call. Runs the loop. */
const void *fake_expect(FakeAgent *f, AgentMessageType type);
/* The id of the last message. */
uint64_t fake_id(const FakeAgent *f);
/* True when the client has said nothing more. */
bool fake_is_silent(FakeAgent *f);

/* Sends in the session; then the loop is run. */
void fake_say(FakeAgent *f, AgentMessageType type, uint64_t id, const void *body);
void fake_say_session(FakeAgent *f, uint32_t session, AgentMessageType type, uint64_t id, const void *body);
void fake_say_frame(FakeAgent *f, const void *payload, size_t size);
/* False when the client's end is closed. */
bool fake_say_bytes(FakeAgent *f, const void *data, size_t size);
/* Takes the hello and answers with a welcome, of version 1 or another. */
void fake_welcome(FakeAgent *f);
void fake_welcome_version(FakeAgent *f, uint64_t version);

/* Bytes that this process has allocated. */
size_t memory_in_use(void);
