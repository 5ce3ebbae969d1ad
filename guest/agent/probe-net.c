/* SPDX-License-Identifier: Apache-2.0 */
/* Probes over the pod's network: a connection that is taken, and a request that is answered. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "guest/agent/agent.h"
#include "guest/agent/probe-http.h"

static Loop *loop_of(const Probe *p)
{
    return &p->container->agent->loop;
}

static void end(Probe *p)
{
    loop_unwatch(loop_of(p), &p->watch);
    p->fd = safe_close(p->fd);
    bytes_done(&p->request);
}

static void fail(Probe *p, int error)
{
    Failure f = { 0 };

    failure_say(&f, error, "%s", strerror(-error));
    probe_result(p, &f);
}

/* --- connecting --- */

static socklen_t socket_address(const ProbeAddress *a, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

    *ret = (struct sockaddr_storage){ .ss_family = (sa_family_t)a->family };
    if (a->family == AF_INET6) {
        v6->sin6_port = htons(a->port);
        memcpy(&v6->sin6_addr, a->address, sizeof v6->sin6_addr);
        return sizeof *v6;
    }
    v4->sin_port = htons(a->port);
    memcpy(&v4->sin_addr, a->address, sizeof v4->sin_addr);
    return sizeof *v4;
}

static int connect_to(Probe *p, const ProbeAddress *address, void (*on_connected)(void *, uint32_t),
                      Failure *f)
{
    struct sockaddr_storage to;
    socklen_t size = socket_address(address, &to);

    p->fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->fd < 0)
        return failure_set(f, -errno, "no connection could be made");
    if (connect(p->fd, (struct sockaddr *)&to, size) < 0 && errno != EINPROGRESS)
        return failure_say(f, -errno, "%s", strerror(errno));
    p->watch = (Watch){ .func = on_connected, .userdata = p };
    int r = loop_watch(loop_of(p), &p->watch, p->fd, EPOLLOUT);
    return r < 0 ? failure_set(f, r, "no connection could be made") : 0;
}

/* 0 when it stands. */
static int connect_error(const Probe *p)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return -error;
}

static void on_connected(void *userdata, uint32_t events)
{
    Probe *p = userdata;
    int r = connect_error(p);

    if (r < 0)
        fail(p, r);
    else
        probe_result(p, NULL);
}

static int begin_tcp(Probe *p, Failure *f)
{
    ProbeAddress address;

    if (probe_address_parse(p->life.definition->tcp, &address) < 0)
        return failure_say(f, -EINVAL, "%s is no address", p->life.definition->tcp);
    return connect_to(p, &address, on_connected, f);
}

const ProbeMethod probe_tcp = { .begin = begin_tcp, .end = end };

/* --- asking --- */

static void take_status(Probe *p, unsigned code)
{
    unsigned min = 200, max = 399;
    const char *range = p->life.definition->status;
    Failure f = { 0 };

    (void)probe_status_parse(range ?: "200-399", &min, &max);
    if (code >= min && code <= max) {
        probe_result(p, NULL);
        return;
    }
    failure_say(&f, -EBADMSG, "HTTP status %u", code);
    probe_result(p, &f);
}

/* Until its first line is there; what follows is nobody's business. */
static void on_answer(void *userdata, uint32_t events)
{
    Probe *p = userdata;
    Failure f = { 0 };
    unsigned code;

    ssize_t n = read(p->fd, p->input + p->n_input, sizeof p->input - p->n_input);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        fail(p, -errno);
        return;
    }
    p->n_input += (size_t)n;
    int r = http_status_parse(p->input, p->n_input, &code);
    if (r > 0) {
        take_status(p, code);
        return;
    }
    if (r == 0 && n > 0 && p->n_input < sizeof p->input)
        return;
    failure_say(&f, -EBADMSG,
                p->n_input == 0 ? "the connection was closed without an answer" : "the answer is no HTTP");
    probe_result(p, &f);
}

static void on_writable(void *userdata, uint32_t events)
{
    Probe *p = userdata;
    int r = connect_error(p);

    if (r < 0) {
        fail(p, r);
        return;
    }
    ssize_t n = send(p->fd, p->request.data, p->request.size, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        fail(p, -errno);
        return;
    }
    bytes_consume(&p->request, (size_t)n);
    if (p->request.size > 0)
        return;
    loop_unwatch(loop_of(p), &p->watch);
    p->watch = (Watch){ .func = on_answer, .userdata = p };
    if ((r = loop_watch(loop_of(p), &p->watch, p->fd, EPOLLIN)) < 0)
        fail(p, r);
}

static int begin_http(Probe *p, Failure *f)
{
    ProbeUrl url;

    if (probe_url_parse(p->life.definition->http, &url) < 0)
        return failure_say(f, -EINVAL, "%s is no URL", p->life.definition->http);
    int r = http_request(p->life.definition, &url, &p->request);
    if (r < 0)
        return failure_set(f, r, "the request could not be made");
    return connect_to(p, &url.address, on_writable, f);
}

const ProbeMethod probe_http = { .begin = begin_http, .end = end };
