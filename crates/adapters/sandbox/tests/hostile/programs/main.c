/* One program for all attempts: `hostile NAME [ARGUMENT]`. */
#include "hostile.h"

int main(int count, char **words) {
    const struct attempt *all[] = {resources, files, calls, network, leaks};
    char host[65] = "";
    setvbuf(stdout, NULL, _IONBF, 0);
    /* Some of these would harm a machine that does not contain them. */
    gethostname(host, sizeof host - 1);
    if (strcmp(host, "box") && !getenv("THIS_MACHINE_MAY_BE_LOST")) {
        printf("unconfined on %s\n", host);
        return 78;
    }
    for (size_t group = 0; count > 1 && group < sizeof all / sizeof *all; group++)
        for (const struct attempt *one = all[group]; one->name; one++)
            if (!strcmp(one->name, words[1])) return one->run(count > 2 ? words[2] : "");
    printf("unknown %s\n", count > 1 ? words[1] : "");
    return 77;
}
