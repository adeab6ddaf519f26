/* B: what reaches for the host's files, its processes' files, devices and mounts. */
#include "hostile.h"
#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static int must_not_list(const char *path) {
    if (!opendir(path)) HELD("%s", ERRNO);
    BREACH("listed %s", path);
}

#define READS(name, path) ATTEMPT(name) { UNUSED; return must_not_read(path); }
#define LISTS(name, path) ATTEMPT(name) { UNUSED; return must_not_list(path); }
#define WRITES(name, path) ATTEMPT(name) { UNUSED; return must_not_open_to_write(path); }
#define FAILS(name, call) ATTEMPT(name) { UNUSED; MUST_FAIL(call); }

READS(shadow, "/etc/shadow")
LISTS(host_home, "/root")
ATTEMPT(canary) { return must_not_read(argument); }

ATTEMPT(proc_walk) {
    UNUSED;
    DIR *proc = opendir("/proc");
    if (!proc) HELD("%s", ERRNO);
    int others = 0;
    for (struct dirent *entry; (entry = readdir(proc));) {
        int pid = atoi(entry->d_name);
        if (pid > 1 && pid != getpid() && pid != getppid()) others++;
    }
    if (others) BREACH("%d processes of others", others);
    HELD("own");
}

READS(first_environment, "/proc/1/environ")
LISTS(first_root, "/proc/1/root/")
READS(first_memory, "/proc/1/mem")
LISTS(first_descriptors, "/proc/1/fd")
WRITES(core_pattern, "/proc/sys/kernel/core_pattern")
WRITES(modprobe_path, "/proc/sys/kernel/modprobe")
WRITES(sysrq, "/proc/sysrq-trigger")
READS(kernel_memory, "/proc/kcore")
READS(kernel_symbols, "/proc/kallsyms")
WRITES(uevent, "/sys/kernel/uevent_helper")
WRITES(release_agent, "/sys/fs/cgroup/memory/release_agent")
FAILS(write_usr, open("/usr/bin/hostile", O_CREAT | O_WRONLY, 0755))
FAILS(write_root, open("/hostile", O_CREAT | O_WRONLY, 0755))
FAILS(remount, mount("", "/usr", "", MS_BIND | MS_REMOUNT, ""))
FAILS(mount_tmpfs, mount("t", "/tmp", "tmpfs", 0, ""))
FAILS(mount_proc, mount("proc", mkdir("p", 0700) ? "/tmp" : "p", "proc", 0, ""))
FAILS(open_file_system, syscall(SYS_fsopen, "tmpfs", 0))
FAILS(clone_tree, syscall(SYS_open_tree, AT_FDCWD, "/", 1))
FAILS(unmount, umount2("/job", MNT_DETACH))
FAILS(change_root, chroot("/job"))
FAILS(pivot, syscall(SYS_pivot_root, ".", "."))

ATTEMPT(by_handle) {
    UNUSED;
    struct { unsigned bytes; int type; unsigned char handle[8]; } root = {8, 1, {2}};
    MUST_FAIL(syscall(SYS_open_by_handle_at, AT_FDCWD, &root, O_RDONLY));
}

FAILS(become_root, setuid(0))
FAILS(become_root_group, setresgid(0, 0, 0))

ATTEMPT(set_user_binary) {
    UNUSED;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) BREACH("new privileges are possible");
    pid_t child = fork();
    if (child == 0) {
        close(2);
        execl("/usr/bin/su", "su", "-c", "id", NULL);
        _exit(9);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status)) HELD("refused");
    BREACH("su ended with %x", status);
}

ATTEMPT(own_set_user) {
    UNUSED;
    char bytes[4096];
    int from = open("/usr/bin/id", O_RDONLY), to = open("s", O_CREAT | O_RDWR, 0700);
    for (ssize_t count; (count = read(from, bytes, sizeof bytes)) > 0;)
        if (write(to, bytes, count) != count) HELD("%s", ERRNO);
    fchmod(to, 04755);
    close(to);
    pid_t child = fork();
    if (child == 0) {
        close(1);
        execl("./s", "s", "-u", NULL);
        _exit(9);
    }
    int status;
    waitpid(child, &status, 0);
    struct stat made;
    stat("s", &made);
    /* The owner is us, so a bit that counted would change nothing either: what counts is that none can be gained. */
    if (made.st_uid != getuid()) BREACH("owned by %u", made.st_uid);
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) BREACH("new privileges are possible");
    HELD("inert");
}

ATTEMPT(file_capabilities) {
    UNUSED;
    unsigned char all[20] = {1, 0, 0, 2, 0xff, 0xff, 0xff, 0xff};
    MUST_FAIL(fsetxattr(open("s", O_CREAT | O_RDWR, 0700), "security.capability", all, sizeof all, 0));
}

FAILS(device_node, mknod("d", S_IFBLK | 0600, 254 << 8))

ATTEMPT(devices) {
    UNUSED;
    const char *paths[] = {"/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/kvm", "/dev/fuse", "/dev/loop0",
                           "/dev/net/tun", "/dev/vhost-net", "/dev/snd", "/dev/dri", "/dev/input"};
    for (size_t index = 0; index < sizeof paths / sizeof *paths; index++)
        if (!access(paths[index], F_OK)) BREACH("%s is there", paths[index]);
    HELD("absent");
}

FAILS(terminal, open("/dev/tty", O_RDWR))
FAILS(new_terminal, open("/dev/ptmx", O_RDWR))

ATTEMPT(docker_socket) {
    UNUSED;
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/var/run/docker.sock"};
    MUST_FAIL(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, sizeof address));
}

LISTS(run_sockets, "/run")

ATTEMPT(inherited_descriptors) {
    UNUSED;
    for (int file = 3; file < 4096; file++)
        if (fcntl(file, F_GETFD) >= 0) BREACH("descriptor %d is open", file);
    HELD("none");
}

ATTEMPT(climb_out) {
    UNUSED;
    for (int step = 0; step < 50; step++)
        if (chdir("..") < 0) HELD("%s", ERRNO);
    return must_not_read("etc/shadow");
}

ATTEMPT(own_program) {
    UNUSED;
    /* Running text is busy; what matters is the launcher, which must not lie in the tree at all. */
    if (!access("/usr/bin/edgecoder-jail", F_OK)) BREACH("the launcher is in the tree");
    MUST_FAIL(open("/proc/self/exe", O_WRONLY));
}

READS(first_program, "/proc/1/exe")

const struct attempt files[] = {
    {"shadow", shadow}, {"hosthome", host_home}, {"canary", canary}, {"proc_walk", proc_walk},
    {"proc_environ1", first_environment}, {"proc_root1", first_root}, {"proc_mem1", first_memory},
    {"proc_fd1", first_descriptors}, {"core_pattern", core_pattern}, {"modprobe_path", modprobe_path},
    {"sysrq", sysrq}, {"kcore", kernel_memory}, {"kallsyms", kernel_symbols}, {"sysfs", uevent},
    {"cgroup_release", release_agent}, {"usr_write", write_usr}, {"root_write", write_root},
    {"remount", remount}, {"mount_tmpfs", mount_tmpfs}, {"mount_proc", mount_proc},
    {"fsopen", open_file_system}, {"open_tree", clone_tree}, {"umount", unmount}, {"chroot", change_root},
    {"pivot_root", pivot}, {"shocker", by_handle}, {"setuid0", become_root},
    {"setresgid0", become_root_group}, {"suidbin", set_user_binary}, {"chmod_suid", own_set_user},
    {"filecaps", file_capabilities}, {"mknod", device_node}, {"devmem", devices}, {"tty", terminal},
    {"ptmx", new_terminal}, {"dockersock", docker_socket}, {"runsocks", run_sockets},
    {"fdleak", inherited_descriptors}, {"cwd_escape", climb_out}, {"self_exe", own_program},
    {"pid1_exe", first_program}, {NULL, NULL},
};
