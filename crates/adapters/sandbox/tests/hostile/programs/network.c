/* D: what talks to somebody outside, or to what the kernel does not keep apart by namespaces. The addresses are those
 * of documentation; whoever runs this unconfined does so in a namespace of its own where they are its own. */
#include "hostile.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

static int must_not_reach(const char *host, int port, int type) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    int end = socket(AF_INET, type, 0);
    if (connect(end, (void *)&address, sizeof address) < 0) HELD("%s", ERRNO);
    MUST_FAIL(send(end, "x", 1, 0));
}

static int must_not_open(int family, int type, int protocol) {
    MUST_FAIL(socket(family, type, protocol));
}

#define REACHES(name, host, port, type) ATTEMPT(name) { UNUSED; return must_not_reach(host, port, type); }
#define OPENS(name, family, type, protocol) ATTEMPT(name) { UNUSED; return must_not_open(family, type, protocol); }

REACHES(internet, "192.0.2.1", 80, SOCK_STREAM)
REACHES(resolver, "198.51.100.53", 53, SOCK_DGRAM)
REACHES(metadata, "169.254.169.254", 80, SOCK_STREAM)
ATTEMPT(host_loopback) { return must_not_reach("127.0.0.1", atoi(argument), SOCK_STREAM); }
OPENS(raw, AF_INET, SOCK_RAW, IPPROTO_ICMP)
OPENS(raw_with_flags, AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP)

ATTEMPT(ping) {
    UNUSED;
    struct sockaddr_in address = {.sin_family = AF_INET};
    char packet[8] = {8};
    inet_pton(AF_INET, "192.0.2.1", &address.sin_addr);
    int end = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    if (end < 0) HELD("%s", ERRNO);
    MUST_FAIL(sendto(end, packet, sizeof packet, 0, (void *)&address, sizeof address));
}

OPENS(frames, AF_PACKET, SOCK_RAW, 0)
OPENS(kernel_messages, AF_NETLINK, SOCK_RAW, 0)
OPENS(machine_sockets, AF_VSOCK, SOCK_STREAM, 0)
OPENS(kernel_ciphers, AF_ALG, SOCK_SEQPACKET, 0)
OPENS(bluetooth, AF_BLUETOOTH, SOCK_SEQPACKET, 0)
OPENS(express, AF_XDP, SOCK_RAW, 0)

ATTEMPT(internet6) {
    UNUSED;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
    inet_pton(AF_INET6, "2001:db8::1", &address.sin6_addr);
    MUST_FAIL(connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&address, sizeof address));
}

ATTEMPT(abstract_socket) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(argument);
    memcpy(address.sun_path + 1, argument, length);
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + 1 + length;
    MUST_FAIL(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, size));
}

ATTEMPT(shared_memory) { MUST_FAIL(shmget(atoi(argument), 4096, 0600)); }
ATTEMPT(message_queue) { MUST_FAIL(syscall(SYS_mq_open, argument, O_RDONLY, 0, 0)); }

const struct attempt network[] = {
    {"tcp_ext", internet}, {"dns_udp", resolver}, {"metadata", metadata}, {"host_loop", host_loopback},
    {"raw", raw}, {"raw_cloexec", raw_with_flags}, {"ping_sock", ping}, {"packet", frames},
    {"netlink", kernel_messages}, {"vsock", machine_sockets}, {"alg", kernel_ciphers},
    {"bluetooth", bluetooth}, {"xdp", express}, {"inet6_ext", internet6}, {"abstract", abstract_socket},
    {"shm_host", shared_memory}, {"mqueue", message_queue}, {NULL, NULL},
};
