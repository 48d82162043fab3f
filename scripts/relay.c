// SPDX-License-Identifier: Apache-2.0
// The least that a proxy can cost: hands bytes on between a visitor and the origin and reads none of them.
// usage: relay PORT ORIGIN-PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int peer[1 << 16];
static char buffer[1 << 16];

int main(int count, char **words) {
    if (count != 3) return 64;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in origin = here;
    origin.sin_port = htons(atoi(words[2]));
    int one = 1, door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), loop = epoll_create1(0);
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(door, (void *)&here, sizeof here) || listen(door, 1024)) return perror("listen"), 1;
    struct epoll_event watched = {.events = EPOLLIN, .data.fd = door}, events[512];
    epoll_ctl(loop, EPOLL_CTL_ADD, door, &watched);
    for (;;) {
        int ready = epoll_wait(loop, events, 512, -1);
        for (int index = 0; index < ready; index++) {
            int from = events[index].data.fd;
            if (from == door) {
                int visitor = accept4(door, 0, 0, SOCK_NONBLOCK);
                int upstream = socket(AF_INET, SOCK_STREAM, 0);
                if (visitor < 0 || upstream < 0 || connect(upstream, (void *)&origin, sizeof origin)) continue;
                peer[visitor] = upstream, peer[upstream] = visitor;
                for (int side = 0; side < 2; side++) {
                    watched.data.fd = side ? visitor : upstream;
                    setsockopt(watched.data.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    epoll_ctl(loop, EPOLL_CTL_ADD, watched.data.fd, &watched);
                }
                continue;
            }
            if (!peer[from]) continue;
            ssize_t length = recv(from, buffer, sizeof buffer, MSG_DONTWAIT);
            if (length < 0 && errno == EAGAIN) continue;
            if (length <= 0 || send(peer[from], buffer, length, MSG_NOSIGNAL) != length) {
                int other = peer[from];
                peer[from] = peer[other] = 0;
                close(from), close(other);
            }
        }
    }
}
