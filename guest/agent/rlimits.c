/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/resource.h>

#include "guest/agent/rlimits.h"

#define ROW(m, number_, ...)                                                                                 \
    {                                                                                                        \
        .name = #m, .number = number_, .offset = offsetof(RlimitSettings, m), __VA_ARGS__                    \
    }

static const struct {
    const char *name;
    int number;
    size_t offset;
    const char *usual; /* as far as the machine itself allows; NULL: as the agent has it */
} rows[] = {
    ROW(as, RLIMIT_AS),
    ROW(core, RLIMIT_CORE, .usual = "0:infinity"),
    ROW(cpu, RLIMIT_CPU),
    ROW(data, RLIMIT_DATA),
    ROW(fsize, RLIMIT_FSIZE),
    ROW(memlock, RLIMIT_MEMLOCK),
    ROW(msgqueue, RLIMIT_MSGQUEUE),
    ROW(nice, RLIMIT_NICE),
    ROW(nofile, RLIMIT_NOFILE, .usual = "1024:524288"),
    ROW(nproc, RLIMIT_NPROC),
    ROW(rtprio, RLIMIT_RTPRIO),
    ROW(rttime, RLIMIT_RTTIME),
    ROW(sigpending, RLIMIT_SIGPENDING),
    ROW(stack, RLIMIT_STACK),
};
_Static_assert(ELEMENTSOF(rows) * sizeof(char *) == sizeof(RlimitSettings), "every limit has a row");

static int set(int number, const char *declared, const char *usual)
{
    struct rlimit had;
    uint64_t soft, hard;

    if (getrlimit((__rlimit_resource_t)number, &had) < 0)
        return -errno;
    int r = rlimit_parse(declared ?: usual, &soft, &hard);
    if (r < 0)
        return r;
    if (!declared) {
        hard = MIN(hard, (uint64_t)had.rlim_max);
        soft = MIN(soft, hard);
    }
    const struct rlimit limit = { .rlim_cur = soft, .rlim_max = hard };
    return setrlimit((__rlimit_resource_t)number, &limit) < 0 ? -errno : 0;
}

int rlimits_set(const RlimitSettings *settings, Failure *f)
{
    TABLE_FOREACH (row, rows) {
        const char *const *declared_at = (const void *)((const char *)settings + row->offset),
                          *declared = *declared_at;
        int r = declared || row->usual ? set(row->number, declared, row->usual) : 0;
        if (r < 0)
            return failure_set(f, r, "rlimits.%s", row->name);
    }
    return 0;
}
