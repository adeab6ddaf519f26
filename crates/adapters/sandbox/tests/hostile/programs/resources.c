/* A: what eats the machine. Each stops at a bound, or is ended from outside. */
#include "hostile.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { MIB = 1 << 20 };

static void *wait_for_ever(void *nothing) {
    pause();
    return nothing;
}

ATTEMPT(forkbomb) {
    UNUSED;
    for (;;) fork();
    return 0;
}

ATTEMPT(threadbomb) {
    UNUSED;
    for (int count = 0; count < 1000; count++) {
        pthread_t thread;
        errno = pthread_create(&thread, NULL, wait_for_ever, NULL);
        if (errno) HELD("%s", ERRNO);
    }
    BREACH("1000 threads");
}

ATTEMPT(membomb) {
    UNUSED;
    for (int count = 0; count < 4096; count++) {
        char *block = malloc(MIB);
        if (!block) HELD("ENOMEM");
        memset(block, 1, MIB);
    }
    BREACH("4 GiB of memory");
}

/* Writes blocks until refused. */
static int fill(int file, int blocks) {
    static char block[MIB];
    signal(SIGXFSZ, SIG_IGN);
    for (int count = 0; count < blocks; count++) {
        ssize_t written = write(file, block, MIB);
        if (written < 0) HELD("%s", ERRNO);
        if (written < MIB && write(file, block, MIB - written) < 0) HELD("%s", ERRNO);
    }
    BREACH("%d MiB written", blocks);
}

ATTEMPT(memfdbomb) {
    UNUSED;
    return fill(memfd_create("x", 0), 4096);
}

ATTEMPT(diskfill) {
    UNUSED;
    return fill(open("x", O_CREAT | O_WRONLY, 0600), 4096);
}

ATTEMPT(diskfill_many) {
    UNUSED;
    static char block[MIB];
    for (int count = 0; count < 2000; count++) {
        char name[64];
        snprintf(name, sizeof name, "f%d", count);
        int file = open(name, O_CREAT | O_WRONLY, 0600);
        if (file < 0) HELD("%s", ERRNO);
        ssize_t written = write(file, block, MIB);
        if (written < 0) HELD("%s", ERRNO);
        if (written < MIB && write(file, block, MIB - written) < 0) HELD("%s", ERRNO);
        close(file);
    }
    BREACH("2000 MiB in files");
}

ATTEMPT(shmfill) {
    UNUSED;
    return fill(open("/dev/shm/x", O_CREAT | O_WRONLY, 0600), 4096);
}

ATTEMPT(inodes) {
    UNUSED;
    for (int count = 0; count < 2000000; count++) {
        char name[64];
        snprintf(name, sizeof name, "f%d", count);
        int file = open(name, O_CREAT | O_WRONLY, 0600);
        if (file < 0) HELD("%s", ERRNO);
        close(file);
    }
    BREACH("2 million files");
}

ATTEMPT(deepdirs) {
    UNUSED;
    for (int depth = 0; depth < 100000; depth++)
        if (mkdir("d", 0700) < 0 || chdir("d") < 0) HELD("%s", ERRNO);
    BREACH("100000 folders deep");
}

ATTEMPT(sparse) {
    UNUSED;
    signal(SIGXFSZ, SIG_IGN);
    MUST_FAIL(ftruncate(open("s", O_CREAT | O_RDWR, 0600), 1L << 40));
}

ATTEMPT(flood) {
    UNUSED;
    char block[65536];
    memset(block, 'A', sizeof block);
    while (write(1, block, sizeof block) > 0) {}
    return 0;
}

ATTEMPT(spin) {
    UNUSED;
    for (volatile long count = 0;; count++) {}
    return 0;
}

ATTEMPT(spin_ignore) {
    for (int number = 1; number < 65; number++) signal(number, SIG_IGN);
    return spin(argument);
}

/* More of them than there are cores. */
ATTEMPT(spin_many) {
    for (int count = 0; count < 7; count++)
        if (fork() == 0) break;
    return spin(argument);
}

ATTEMPT(hang) {
    UNUSED;
    for (;;) sleep(1000);
    return 0;
}

ATTEMPT(leave_daemon) {
    UNUSED;
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            for (int file = 0; file < 3; file++) close(file);
            signal(SIGHUP, SIG_IGN);
            for (;;) sleep(1);
        }
        _exit(0);
    }
    HELD("left");
}

ATTEMPT(zombies) {
    UNUSED;
    for (int count = 0; count < 100000; count++) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        if (child < 0) HELD("%s", ERRNO);
    }
    BREACH("100000 zombies");
}

ATTEMPT(descriptors) {
    UNUSED;
    for (int count = 0; count < 100000; count++)
        if (open("/dev/null", O_RDONLY) < 0) HELD("%s", ERRNO);
    BREACH("100000 descriptors");
}

ATTEMPT(pipes) {
    UNUSED;
    for (int count = 0; count < 100000; count++) {
        int ends[2];
        if (pipe(ends) < 0) HELD("%s", ERRNO);
        fcntl(ends[1], F_SETPIPE_SZ, MIB);
    }
    BREACH("100000 pipes");
}

ATTEMPT(core) {
    UNUSED;
    struct rlimit now, most = {RLIM_INFINITY, RLIM_INFINITY};
    getrlimit(RLIMIT_CORE, &now);
    if (now.rlim_max) BREACH("cores of %lu bytes", (unsigned long)now.rlim_max);
    MUST_FAIL(setrlimit(RLIMIT_CORE, &most));
}

ATTEMPT(real_time) {
    UNUSED;
    struct sched_param priority = {.sched_priority = 50};
    MUST_FAIL(sched_setscheduler(0, SCHED_FIFO, &priority));
}

ATTEMPT(nice_up) {
    UNUSED;
    MUST_FAIL(setpriority(PRIO_PROCESS, 0, -20));
}

ATTEMPT(lock_memory) {
    UNUSED;
    size_t size = 512UL * MIB;
    void *memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    MUST_FAIL(mlock(memory, size));
}

ATTEMPT(raise_limit) {
    UNUSED;
    struct rlimit more = {1 << 20, 1 << 20};
    MUST_FAIL(setrlimit(RLIMIT_NOFILE, &more));
}

const struct attempt resources[] = {
    {"forkbomb", forkbomb}, {"threadbomb", threadbomb}, {"membomb", membomb}, {"memfdbomb", memfdbomb},
    {"diskfill", diskfill}, {"diskfill_many", diskfill_many}, {"shmfill", shmfill}, {"inodes", inodes},
    {"deepdirs", deepdirs}, {"sparse", sparse}, {"flood", flood}, {"spin", spin},
    {"spin_ignore", spin_ignore}, {"sleep", hang}, {"daemon", leave_daemon}, {"zombies", zombies},
    {"fds", descriptors}, {"pipes", pipes}, {"core", core}, {"fifo_sched", real_time},
    {"nice", nice_up}, {"mlock", lock_memory}, {"rlimit_raise", raise_limit}, {"spin_many", spin_many}, {NULL, NULL},
};
