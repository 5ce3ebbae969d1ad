/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The few macros that every file here may rely on: cleanup by scope, ownership hand-over, array sizes.
 *
 * Ownership: a variable with a _cleanup_ attribute owns what it points to. take_ptr() and take_fd() hand the
 * ownership on and leave NULL or -1 behind, so that each object has one owner at each moment.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))
#define _warn_unused_ __attribute__((warn_unused_result))

#define ELEMENTSOF(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define TABLE_FOREACH(row, table)                                                                            \
    for (__typeof__(&(table)[0]) row = (table); row < (table) + ELEMENTSOF(table); row++)

#define take_ptr(p)                                                                                          \
    ({                                                                                                       \
        __typeof__(p) *_taken_from = &(p), _taken = *_taken_from;                                            \
        *_taken_from = NULL;                                                                                 \
        _taken;                                                                                              \
    })

/* As take_ptr(), for a struct that owns what its members point to: all of it is zero behind this. */
#define take_struct(s)                                                                                       \
    ({                                                                                                       \
        __typeof__(s) *_taken_from = &(s), _taken = *_taken_from;                                            \
        *_taken_from = (__typeof__(s)){ 0 };                                                                 \
        _taken;                                                                                              \
    })

/* For _cleanup_(x_freep): calls x_free(X *), which accepts NULL. */
#define DEFINE_CLEANUP(type, func)                                                                           \
    static inline _unused_ void func##p(type *p)                                                             \
    {                                                                                                        \
        if (*p)                                                                                              \
            func(*p);                                                                                        \
    }

static inline _unused_ void freep(void *p)
{
    free(*(void **)p);
}

/* Closes without touching errno, so that it can stand between a failure and its report. Returns -1 for assignment. */
static inline _unused_ int safe_close(int fd)
{
    int saved = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = saved;
    return -1;
}

static inline _unused_ void closep(int *fd)
{
    safe_close(*fd);
}

static inline _unused_ int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}
