/* What all hostile programs share: how they say what came of an attempt.
 *
 * A program prints one line. "held WORD" means the attempt was stopped, WORD being the errno's name or another short
 * word that the corpus expects exactly; "BREACH ..." means it was not. */
#ifndef HOSTILE_H
#define HOSTILE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct attempt {
    const char *name;
    /* `argument` is what the host planted for this attempt: a path, a port, a name. */
    int (*run)(const char *argument);
};

#define HELD(...) do { printf("held " __VA_ARGS__); puts(""); return 0; } while (0)
#define BREACH(...) do { printf("BREACH " __VA_ARGS__); puts(""); return 1; } while (0)
#define ERRNO strerrorname_np(errno)
/* The whole of most attempts: one call that must fail. */
#define MUST_FAIL(call) do { errno = 0; if ((long)(call) < 0) HELD("%s", ERRNO); BREACH("%s", #call); } while (0)
#define ATTEMPT(name) static int name(const char *argument)
#define UNUSED (void)argument

static inline int must_not_read(const char *path) {
    char bytes[64];
    int file = open(path, O_RDONLY);
    if (file < 0) HELD("%s", ERRNO);
    ssize_t count = read(file, bytes, sizeof bytes);
    if (count < 0) HELD("%s", ERRNO);
    if (count == 0) HELD("empty");
    BREACH("read %zd bytes of %s", count, path);
}

static inline int must_not_open_to_write(const char *path) {
    if (open(path, O_WRONLY | O_APPEND) < 0) HELD("%s", ERRNO);
    BREACH("opened %s to write", path);
}

extern const struct attempt resources[], files[], calls[], network[], leaks[];

#endif
