/* E: what would tell a payload about the host, or one payload about another. */
#include "hostile.h"
#include <sys/file.h>

ATTEMPT(environment) {
    UNUSED;
    static const char *known[] = {"PATH=", "HOME=", "TMPDIR=", "LANG=", "TERM=", "USER=", "PWD=", "OLDPWD=", "_=", "SHLVL="};
    extern char **environ;
    for (char **variable = environ; *variable; variable++) {
        int found = 0;
        for (size_t index = 0; index < sizeof known / sizeof *known; index++)
            found |= !strncmp(*variable, known[index], strlen(known[index]));
        if (!found) BREACH("%s", *variable);
    }
    HELD("own");
}

ATTEMPT(host_name) {
    UNUSED;
    char name[65] = "";
    gethostname(name, sizeof name - 1);
    if (strcmp(name, "box")) BREACH("the host is %s", name);
    HELD("masked");
}

ATTEMPT(terminal) {
    UNUSED;
    char byte;
    for (int stream = 0; stream < 3; stream++)
        if (isatty(stream)) BREACH("stream %d is a terminal", stream);
    if (read(0, &byte, 1)) BREACH("somebody types");
    HELD("none");
}

/* Somebody outside holds an exclusive lock on the same file. */
ATTEMPT(lock_channel) {
    int file = open(argument, O_RDONLY);
    if (file < 0) HELD("%s", ERRNO);
    if (flock(file, LOCK_EX | LOCK_NB) < 0) BREACH("another's lock is visible");
    HELD("private");
}

static int must_not_name(const char *path, const char *const *words) {
    char line[4096];
    FILE *file = fopen(path, "r");
    if (!file) HELD("%s", ERRNO);
    while (fgets(line, sizeof line, file))
        for (const char *const *word = words; *word; word++)
            if (strstr(line, *word)) BREACH("%s", line);
    HELD("hidden");
}

ATTEMPT(cgroup_path) {
    UNUSED;
    static const char *const words[] = {"..", "edgecoder", "slice", "docker", NULL};
    return must_not_name("/proc/self/cgroup", words);
}

ATTEMPT(mount_paths) {
    /* The temporary folder of the host, and homes. */
    const char *const words[] = {"/root/", "/home/", argument, NULL};
    return must_not_name("/proc/self/mountinfo", words);
}

const struct attempt leaks[] = {
    {"env", environment}, {"hostinfo", host_name}, {"stdin", terminal}, {"flock_side", lock_channel},
    {"cgroup_leak", cgroup_path}, {"mountinfo_leak", mount_paths}, {NULL, NULL},
};
