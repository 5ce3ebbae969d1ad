/* SPDX-License-Identifier: Apache-2.0 */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <stdio.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/strings.h"

enum { JOURNAL_FIELDS_MAX = 32 };

bool journal_is_there(void)
{
    return access("/run/systemd/journal/socket", W_OK) == 0;
}

static size_t fields_fill(struct iovec *iov, size_t max, const LogField *fields)
{
    size_t n = 0;

    for (; fields && fields->key && n < max; fields++) {
        char *text = fields->value ? strf("%s=%s", fields->key, fields->value) : NULL;
        if (text)
            iov[n++] = (struct iovec){ .iov_base = text, .iov_len = strlen(text) };
    }
    return n;
}

int journal_send(int level, const LogField *fields, const void *message, size_t size)
{
    static const char key[] = "MESSAGE=";
    struct iovec iov[JOURNAL_FIELDS_MAX];
    char priority[] = "PRIORITY=0";

    priority[sizeof priority - 2] = (char)('0' + (level & 7));
    _cleanup_(freep) uint8_t *text = malloc(sizeof key - 1 + size);
    if (!text)
        return -ENOMEM;
    memcpy(text, key, sizeof key - 1);
    memcpy(text + sizeof key - 1, message, size);
    iov[0] = (struct iovec){ .iov_base = text, .iov_len = sizeof key - 1 + size };
    iov[1] = (struct iovec){ .iov_base = priority, .iov_len = strlen(priority) };
    size_t n = fields_fill(iov + 2, ELEMENTSOF(iov) - 2, fields);

    int r = sd_journal_sendv(iov, (int)(2 + n));
    for (size_t i = 0; i < n; i++)
        free(iov[2 + i].iov_base);
    return r;
}

void journal_sink(int level, const LogField *fields, const char *message)
{
    if (journal_send(level, fields, message, strlen(message)) < 0)
        fprintf(stderr, "%s\n", message);
}
