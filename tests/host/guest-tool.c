/* SPDX-License-Identifier: Apache-2.0 */
/* What a container is to do for a test and no usual program does: linked statically, put into the image by the test. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void crash(void)
{
    *(volatile int *)0 = 1;
}

/* 100000 numbered lines, as fast as they go. */
static void lines(void)
{
    for (int i = 1; i <= 100000; i++)
        printf("line %06d of a hundred thousand\n", i);
    fflush(stdout);
}

/* CLOCK_REALTIME in seconds. */
static void clock_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    printf("%lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
}

/* Children of children, until there are no more to be had; then it says so and lets them be. */
static void forks(void)
{
    pid_t first = getpid();

    while (fork() >= 0)
        continue;
    if (getpid() == first)
        puts("no more");
    fflush(stdout);
    for (;;)
        pause();
}

/* Hears every signal, and does nothing of what it asks for. */
static void hear(int number) {}

static void deaf(void)
{
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, hear);
    puts("deaf");
    fflush(stdout);
    for (;;)
        pause();
}

/* A million lines, each with its number. */
static void million(void)
{
    for (int i = 1; i <= 1000000; i++)
        printf("%d\n", i);
    fflush(stdout);
}

/* Lines without end, as fast as they go. */
static void loud(void)
{
    while (puts("all of you shall hear me") >= 0)
        continue;
}

static const struct {
    const char *name;
    void (*run)(void);
} tools[] = {
    { "crash", crash }, { "lines", lines },     { "clock", clock_time }, { "forks", forks },
    { "deaf", deaf },   { "million", million }, { "loud", loud },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof tools / sizeof *tools; i++) {
        if (strcmp(tools[i].name, argv[1]) == 0) {
            tools[i].run();
            return 0;
        }
    }
    return 2;
}
