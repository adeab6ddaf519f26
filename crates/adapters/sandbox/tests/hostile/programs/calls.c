/* C: system calls that would reach other processes, the kernel's insides, or out of the sandbox. */
#include "hostile.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define FAILS(name, call) ATTEMPT(name) { UNUSED; MUST_FAIL(call); }

FAILS(trace_first, ptrace(PTRACE_ATTACH, 1, 0, 0))
FAILS(trace_parent, ptrace(PTRACE_SEIZE, getppid(), 0, 0))

ATTEMPT(read_first) {
    UNUSED;
    char bytes[8];
    struct iovec here = {bytes, 8}, there = {(void *)0x400000, 8};
    MUST_FAIL(process_vm_readv(1, &here, 1, &there, 1, 0));
}

ATTEMPT(steal_descriptor) {
    UNUSED;
    int process = syscall(SYS_pidfd_open, 1, 0);
    if (process < 0) HELD("%s", ERRNO);
    MUST_FAIL(syscall(SYS_pidfd_getfd, process, 0, 0));
}

/* The host knows that this is over only when the first process is alive to say so. */
ATTEMPT(kill_first) {
    UNUSED;
    for (int number = 1; number < 65; number++) kill(1, number);
    usleep(50000);
    HELD("alive");
}

ATTEMPT(kill_all) {
    UNUSED;
    kill(-1, SIGKILL);
    HELD("alive");
}

FAILS(new_user_namespace, unshare(CLONE_NEWUSER))
FAILS(new_net_namespace, unshare(CLONE_NEWNET))

ATTEMPT(clone_user) {
    UNUSED;
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    if (child < 0) HELD("%s", ERRNO);
    BREACH("a child in a user namespace");
}

ATTEMPT(clone3_user) {
    UNUSED;
    struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) _exit(0);
    if (child < 0) HELD("%s", ERRNO);
    BREACH("a child in a user namespace");
}

FAILS(enter_namespace, setns(open("/proc/self/ns/net", O_RDONLY), 0))
static char zeros[256];
FAILS(load_program, syscall(SYS_bpf, 0, zeros, 128))
FAILS(count_events, syscall(SYS_perf_event_open, zeros, 0, -1, -1, 0))
FAILS(fault_memory, syscall(SYS_userfaultfd, 1))
FAILS(ring, syscall(SYS_io_uring_setup, 4, zeros))
FAILS(key_control, syscall(SYS_keyctl, 0, -3, 1))
FAILS(key_add, syscall(SYS_add_key, "user", "hostile", "x", 1, -4))
FAILS(module_from_memory, syscall(SYS_init_module, "x", 1, ""))
FAILS(module_from_file, syscall(SYS_finit_module, 0, "", 0))
FAILS(other_kernel, syscall(SYS_kexec_load, 0, 0, 0, 0))
/* Magic numbers that no kernel takes: were it let through, nothing would happen. */
FAILS(restart, syscall(SYS_reboot, 0, 0, 0, 0))
FAILS(swap, syscall(SYS_swapon, "/job/x", 0))
/* A time that no kernel takes; libc must not be the one to say so. */
FAILS(set_time, syscall(SYS_clock_settime, CLOCK_REALTIME, &(struct timespec){-1, -1}))
/* Modes that no kernel takes. */
FAILS(adjust_time, syscall(SYS_adjtimex, memset(zeros, 0xff, sizeof zeros)))
FAILS(host_name, sethostname("evil", 4))
FAILS(no_random_addresses, syscall(SYS_personality, 0x0040000))

ATTEMPT(push_input) {
    UNUSED;
    MUST_FAIL(ioctl(open("/dev/null", O_RDONLY), TIOCSTI, "x"));
}

ATTEMPT(push_input_high) {
    UNUSED;
    MUST_FAIL(syscall(SYS_ioctl, open("/dev/null", O_RDONLY), 0x100000000UL | TIOCSTI, "x"));
}

ATTEMPT(paste_input) {
    UNUSED;
    MUST_FAIL(ioctl(open("/dev/null", O_RDONLY), TIOCLINUX, "x"));
}

FAILS(quota, syscall(SYS_quotactl, 0, 0, 0, 0))
#ifdef __x86_64__
FAILS(port_level, syscall(SYS_iopl, 3))
FAILS(descriptor_table, syscall(SYS_modify_ldt, 0, zeros, 16))
ATTEMPT(old_entry) {
    UNUSED;
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    if (result < 0) HELD("refused");
    BREACH("getpid by int 0x80 gave %ld", result);
}
FAILS(short_pointers, syscall(0x40000000 | 39))
#else
ATTEMPT(port_level) { UNUSED; HELD("EPERM"); }
ATTEMPT(descriptor_table) { UNUSED; HELD("EPERM"); }
ATTEMPT(old_entry) { UNUSED; raise(SIGSYS); HELD("refused"); }
ATTEMPT(short_pointers) { UNUSED; HELD("ENOSYS"); }
#endif

ATTEMPT(own_filter) {
    UNUSED;
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, allow};
    MUST_FAIL(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

FAILS(watch_files, syscall(SYS_fanotify_init, 0, 0))
FAILS(kernel_log, syscall(SYS_syslog, 3, zeros, 64))
FAILS(accounting, syscall(SYS_acct, "/job/a"))
FAILS(memory_map, prctl(PR_SET_MM, PR_SET_MM_START_BRK, 0, 0, 0))

/* Allowed, and no way out: the copy runs under the same filters. */
ATTEMPT(program_in_memory) {
    UNUSED;
    char bytes[4096];
    int from = open("/proc/self/exe", O_RDONLY), to = memfd_create("e", 0);
    for (ssize_t count; (count = read(from, bytes, sizeof bytes)) > 0;)
        if (write(to, bytes, count) != count) BREACH("the copy is cut short");
    pid_t child = fork();
    if (child == 0) {
        char *words[] = {"hostile", "caps", NULL}, *none[] = {NULL};
        fexecve(to, words, none);
        _exit(9);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    BREACH("the copy ended with %x", status);
}

ATTEMPT(capabilities) {
    UNUSED;
    char line[256];
    unsigned long value;
    long filter = -1;
    FILE *status = fopen("/proc/self/status", "r");
    if (!status) HELD("%s", ERRNO);
    while (fgets(line, sizeof line, status)) {
        if (!strncmp(line, "Cap", 3) && sscanf(line, "%*s %lx", &value) == 1 && value) BREACH("%s", line);
        sscanf(line, "Seccomp: %ld", &filter);
    }
    if (filter != 2) BREACH("filter mode %ld", filter);
    HELD("none");
}

const struct attempt calls[] = {
    {"ptrace1", trace_first}, {"ptrace_parent", trace_parent}, {"vmread1", read_first},
    {"pidfd_getfd", steal_descriptor}, {"kill1", kill_first}, {"killall", kill_all},
    {"unshare_user", new_user_namespace}, {"unshare_net", new_net_namespace}, {"clone_user", clone_user},
    {"clone3_user", clone3_user}, {"setns", enter_namespace}, {"bpf", load_program}, {"perf", count_events},
    {"userfaultfd", fault_memory}, {"io_uring", ring}, {"keyctl", key_control}, {"add_key", key_add},
    {"init_module", module_from_memory}, {"finit_module", module_from_file}, {"kexec", other_kernel},
    {"reboot", restart}, {"swapon", swap}, {"settime", set_time}, {"adjtimex", adjust_time},
    {"hostname", host_name}, {"personality", no_random_addresses}, {"tiocsti", push_input},
    {"tiocsti_hi", push_input_high}, {"tioclinux", paste_input}, {"quotactl", quota}, {"iopl", port_level},
    {"modify_ldt", descriptor_table}, {"seccomp_unotify", own_filter}, {"fanotify", watch_files},
    {"syslog", kernel_log}, {"acct", accounting}, {"prctl_mm", memory_map}, {"int80", old_entry},
    {"x32", short_pointers}, {"memfd_exec", program_in_memory}, {"caps", capabilities}, {NULL, NULL},
};
