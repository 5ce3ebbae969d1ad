/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An init of the guest that does not do what the agent does. -DPART=name says which part it plays:
 *
 *     leave     ends at once, so that the kernel panics
 *     sleep     says a line on the console, and nothing on the port
 *     noise     sends random bytes, endlessly
 *     endless   begins frames and never ends them; says that they are longer than a frame can be
 *     frames    answers each hello with whole frames of its session, whose msgpack is a lie
 *     mute      floods the console
 *     reset     resets the machine
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void load_modules(void)
{
    char path[256];
    FILE *list = fopen("/lib/podvisor/modules.load", "r");

    while (list && fgets(path, sizeof path, list)) {
        path[strcspn(path, "\n")] = 0;
        int fd = open(path, O_RDONLY);
        (void)syscall(SYS_finit_module, fd, "", 0);
        close(fd);
    }
}

/* The only port there is; it comes a moment after its driver. */
static int open_port(void)
{
    for (;;) {
        DIR *ports = opendir("/sys/class/virtio-ports");
        for (struct dirent *e; ports && (e = readdir(ports));) {
            char path[300];
            snprintf(path, sizeof path, "/dev/%s", e->d_name);
            int fd = *e->d_name == '.' ? -1 : open(path, O_RDWR);
            if (fd >= 0)
                return fd;
        }
        if (ports)
            closedir(ports);
        usleep(10000);
    }
}

static int boot(void)
{
    mount("dev", "/dev", "devtmpfs", 0, "");
    mount("sys", "/sys", "sysfs", 0, "");
    load_modules();
    return open_port();
}

static void put(int port, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(port, (const char *)data + done, size - done);
        if (n <= 0)
            usleep(1000); /* nobody listens at the moment */
        else
            done += (size_t)n;
    }
}

static uint32_t crc(const uint8_t *p, size_t size)
{
    uint32_t c = ~0U;

    for (size_t i = 0; i < size; i++) {
        c ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
    }
    return ~c;
}

/* size is what the header says; the payload follows only as far as data goes. */
static size_t make_frame(uint8_t *out, uint32_t session, const uint8_t *data, uint32_t size)
{
    uint32_t words[3] = { size, session, data ? crc(data, size) : 0 };

    memcpy(out, "PvF1", 4);
    memcpy(out + 4, words, sizeof words);
    uint32_t sum = crc(out, 16);
    memcpy(out + 16, &sum, 4);
    if (data)
        memcpy(out + 20, data, size);
    return 20 + (data ? size : 0);
}

static void leave(void) {}

static void sleep_on(void)
{
    puts("the false agent sleeps now");
    for (;;)
        pause();
}

static void noise(void)
{
    static uint8_t bytes[65536];
    int port = boot();

    for (uint64_t x = 88172645463325252ULL;;) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            bytes[i] = (uint8_t)x;
        }
        put(port, bytes, sizeof bytes);
    }
}

static void endless(void)
{
    static const uint32_t sizes[] = { 64 * 1024, 64 * 1024 + 1, 0x7fffffff, 0xffffffff };
    static uint8_t frame[20], filling[65536 - 1];
    int port = boot();

    memset(filling, 'P', sizeof filling);
    for (unsigned i = 0;; i++) {
        put(port, frame, make_frame(frame, i, NULL, sizes[i % 4]));
        put(port, filling, sizeof filling);
    }
}

/* The session number of the next hello. */
static uint32_t hear_session(int port)
{
    uint8_t bytes[4096];
    uint32_t session;

    for (;;) {
        ssize_t n = read(port, bytes, sizeof bytes);
        for (ssize_t i = 0; i + 20 <= n; i++) {
            if (memcmp(bytes + i, "PvF1", 4) == 0) {
                memcpy(&session, bytes + i + 8, 4);
                return session;
            }
        }
        if (n <= 0)
            usleep(1000);
    }
}

#define SHORT(text)                                                                                          \
    {                                                                                                        \
        (const uint8_t *)(text), sizeof(text) - 1                                                            \
    }

static void frames(void)
{
    static uint8_t deep[60000], frame[65536 + 20];
    static const struct {
        const uint8_t *data;
        size_t size;
    } lies[] = {
        { deep, sizeof deep },
        SHORT("\xdd\xff\xff\xff\xff"),      /* 4 G items */
        SHORT("\xdf\xff\xff\xff\xff\xa1x"), /* 4 G pairs */
        SHORT("\xc6\xff\xff\xff\xff"),      /* 4 GB of bytes */
        SHORT("\x83\xa4type\xa7welcome\xa2id\x00\xa4"
              "body\xdd\x7f\xff\xff\xff"),
        SHORT("\x83\xa4type\xa6report\xa2id\x00\xa4"
              "body\x81\xaa"
              "containers\xdd\x00\x0f\xff\xff"),
        SHORT("\x83\xa4type\xa5reply\xa2id\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa4"
              "body\x80"),
        SHORT("\x83\xa4type\xa7welcome\xa2id\x00\xa4"
              "body\x82\xa7version\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa4"
              "boot\xa0"),
        SHORT("\x83\xa4type\xa7nothing\xa2id\x00\xa4"
              "body\xc0"),
        SHORT("\xc1"),
        SHORT(""),
    };
    int port = boot();
    uint32_t session = hear_session(port);

    memset(deep, 0x91, sizeof deep);
    for (unsigned i = 0;; i++) {
        unsigned at = i % (sizeof lies / sizeof *lies);
        put(port, frame, make_frame(frame, session, lies[at].data, (uint32_t)lies[at].size));
    }
}

static void mute(void)
{
    for (unsigned i = 0;; i++)
        printf("line %u of a console that never ends\n", i);
}

static void reset(void)
{
    reboot(RB_AUTOBOOT);
}

int main(void)
{
    PART();
    return 0;
}
