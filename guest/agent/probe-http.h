/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* As much of HTTP/1.1 as a probe needs: one request without a body, and the status of what comes back. Pure. */
#include "base/bytes.h"
#include "schemas/probe-definition.h"

/* Into an empty ret; 0 or -ENOMEM. */
int http_request(const ProbeDefinition *d, const ProbeUrl *url, Bytes *ret);
/* 1 with the status, 0 while the first line is not complete, -EBADMSG. */
int http_status_parse(const char *data, size_t size, unsigned *ret);
