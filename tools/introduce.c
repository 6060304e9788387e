/*
 * Introduces the domains of Caisson's boot menu to xenstored: a program of Linux, for the control
 * domain. `xl` does so for those that it makes; those of the menu are there before it.
 *
 *     introduce        each domain that the store does not know gets a name; those that wait for a
 *                      xenstore get it. Prints a line for each. May be run again at any time.
 *
 * A domain of the menu has its name in its handle, and waits for a store where its
 * HVM_PARAM_STORE_PFN is all ones (create/store.h). Spoken are the ioctls of Linux' xen-privcmd
 * and xen-evtchn, and xenstored's own protocol on its socket, all of which are ABI:
 * include/uapi/xen/privcmd.h and evtchn.h of Linux, xen/include/public/io/xs_wire.h.
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "include/public/control.h"
#include "include/public/hvm/hvm_op.h"
#include "include/public/hvm/params.h"
#include "include/public/xen.h"

#define STORE_GFN 0xFEFFCu /* PV_STORE_GPA of xen/pv_console.h */
#define LATER     UINT64_MAX
#define SOCKET    "/var/run/xenstored/socket"

struct privcmd_hypercall {
    uint64_t op, arg[5];
};
struct evtchn_bind {
    uint32_t domain, port;
};
#define PRIVCMD_HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))
#define EVTCHN_BIND       _IOC(_IOC_NONE, 'E', 1, sizeof(struct evtchn_bind))
#define EVTCHN_UNBIND     _IOC(_IOC_NONE, 'E', 3, sizeof(uint32_t))
#define EVTCHN_NOTIFY     _IOC(_IOC_NONE, 'E', 4, sizeof(uint32_t))

enum { XS_READ = 2, XS_INTRODUCE = 8, XS_WRITE = 11, XS_SET_PERMS = 14, XS_ERROR = 16 };
struct xs_head {
    uint32_t type, request, transaction, length;
};

static int privcmd, store;

/* ---- The hypervisor ---- */

/* Caisson reads and writes arguments where they are, so they must be in memory. */
static int hypercall(unsigned op, uint64_t a, uint64_t b)
{
    struct privcmd_hypercall call = { .op = op, .arg = { a, b } };

    return ioctl(privcmd, PRIVCMD_HYPERCALL, &call);
}

/* The domain with the lowest id that is not below this one. */
static bool find_from(uint16_t id, struct xen_domctl_getdomaininfo *out)
{
    static struct xen_domctl ctl;

    ctl = (struct xen_domctl){ .cmd = XEN_DOMCTL_GETDOMAININFO,
                               .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
                               .domain = id };
    if (hypercall(XEN_HYPERCALL_DOMCTL, (uint64_t)&ctl, 0))
        return false;
    *out = ctl.u.getdomaininfo;
    return true;
}

static uint64_t param(uint16_t id, uint32_t index)
{
    static struct xen_hvm_param p;

    p = (struct xen_hvm_param){ .domid = id, .index = index };
    return hypercall(XEN_HYPERCALL_HVM_OP, HVMOP_GET_PARAM, (uint64_t)&p) ? 0 : p.value;
}

static int set_param(uint16_t id, uint32_t index, uint64_t value)
{
    static struct xen_hvm_param p;

    p = (struct xen_hvm_param){ .domid = id, .index = index, .value = value };
    return hypercall(XEN_HYPERCALL_HVM_OP, HVMOP_SET_PARAM, (uint64_t)&p);
}

/* ---- The store ---- */

static void must(bool right, const char *what)
{
    if (!right)
        err(1, "xenstored: %s", what);
}

/* False: it answered with an error. */
static bool ask(uint32_t type, const void *body, size_t length)
{
    struct xs_head head = { .type = type, .length = (uint32_t)length };
    char answer[4096];

    must(write(store, &head, sizeof(head)) == sizeof(head), "write");
    must(write(store, body, length) == (ssize_t)length, "write");
    must(recv(store, &head, sizeof(head), MSG_WAITALL) == sizeof(head), "read");
    must(head.length <= sizeof(answer), "a long answer");
    must(recv(store, answer, head.length, MSG_WAITALL) == (ssize_t)head.length, "read");
    return head.type != XS_ERROR;
}

/* Words that each end with a NUL but, with tail, the last. */
static bool say(uint32_t type, bool tail, const char *fmt, ...)
{
    char text[256];
    va_list words;

    va_start(words, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, words);
    va_end(words);
    for (int i = 0; i < n; i++)
        if (text[i] == '\n')
            text[i] = 0;
    return ask(type, text, (size_t)n + !tail);
}

static bool put(uint16_t id, const char *key, const char *value)
{
    return say(XS_WRITE, true, "/local/domain/%u/%s\n%s", id, key, value);
}

/* As libxl does it: the domain may read all of its own, and write where its drivers do. What is
 * made below an entry has its rights: those come first. */
static void plant(const struct xen_domctl_getdomaininfo *d, const char *name)
{
    uint16_t id = d->domain;
    static const char *const its[] = { "control/shutdown",
                                       "control/sysrq",
                                       "control/feature-poweroff",
                                       "control/feature-reboot",
                                       "control/feature-suspend",
                                       "data",
                                       "drivers",
                                       "feature",
                                       "attr",
                                       "error" };
    char number[8];

    snprintf(number, sizeof(number), "%u", id);
    put(id, "name", name);
    say(XS_SET_PERMS, false, "/local/domain/%u\nn0\nr%u", id, id);
    put(id, "domid", number);
    put(id, "device", "");
    for (unsigned i = 0; i <= d->max_vcpu_id; i++)
        say(XS_WRITE, true, "/local/domain/%u/cpu/%u/availability\nonline", id, i);
    for (unsigned i = 0; i < sizeof(its) / sizeof(its[0]); i++) {
        put(id, its[i], "");
        say(XS_SET_PERMS, false, "/local/domain/%u/%s\nn%u", id, its[i], id);
    }
}

/* What libxl asks for before it attaches a device to a domain: that it is pvh, and a description,
 * which it keeps for those that it makes. */
static void describe(const struct xen_domctl_getdomaininfo *d, const char *name)
{
    const uint8_t *h = d->handle;
    char uuid[37], path[128];

    snprintf(uuid, sizeof(uuid),
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", h[0], h[1],
             h[2], h[3], h[4], h[5], h[6], h[7], h[8], h[9], h[10], h[11], h[12], h[13], h[14],
             h[15]);
    snprintf(path, sizeof(path), "/var/lib/xen/userdata-d.%u.%s.libxl-json", d->domain, uuid);
    FILE *f = fopen(path, "w");
    if (!f) {
        warn("%s", path);
        return;
    }
    fprintf(f, "{\"c_info\": {\"type\": \"pvh\", \"name\": \"%s\", \"uuid\": \"%s\"}, ", name,
            uuid);
    fprintf(f, "\"b_info\": {\"max_vcpus\": %u, \"type.pvh\": {}}}\n", d->max_vcpu_id + 1);
    fclose(f);
    say(XS_WRITE, true, "/libxl/%u/type\npvh", d->domain);
    say(XS_WRITE, true, "/local/domain/%u/vm\n/vm/%s", d->domain, uuid);
}

/* ---- One domain ---- */

/* Its kernel waits for an event; the daemon may or may not send one. So the port is ours for a
 * moment: it goes back to waiting then. */
static void wake(uint16_t id, uint32_t port)
{
    struct evtchn_bind bind = { id, port };
    int evtchn = open("/dev/xen/evtchn", O_RDWR);
    int mine = ioctl(evtchn, EVTCHN_BIND, &bind);
    uint32_t local = (uint32_t)mine;

    if (mine < 0)
        warn("domain %u: its port for the store", id);
    else if (ioctl(evtchn, EVTCHN_NOTIFY, &local) || ioctl(evtchn, EVTCHN_UNBIND, &local))
        warn("domain %u: an event", id);
    close(evtchn);
}

static bool waits(uint16_t id)
{
    return param(id, HVM_PARAM_STORE_EVTCHN) && param(id, HVM_PARAM_STORE_PFN) == LATER;
}

static const char *connect_it(const struct xen_domctl_getdomaininfo *d, const char *name)
{
    uint16_t id = d->domain;
    uint32_t port = (uint32_t)param(id, HVM_PARAM_STORE_EVTCHN);

    if (!waits(id))
        return "named";
    describe(d, name);
    if (set_param(id, HVM_PARAM_STORE_PFN, STORE_GFN))
        return "named, and cannot be connected";
    wake(id, port);
    if (!say(XS_INTRODUCE, false, "%u\n%u\n%u", id, STORE_GFN, port))
        return "named, and not introduced";
    return "named and connected";
}

/* Those that xl makes have a random handle, and are its own affair. */
static bool name_of(const struct xen_domctl_getdomaininfo *d, char out[17])
{
    unsigned n = 0;

    memcpy(out, d->handle, 16);
    out[16] = 0;
    while (isgraph((unsigned char)out[n]) && !strchr("\"\\/", out[n]))
        n++;
    for (unsigned i = n; i < 16; i++)
        if (out[i])
            return false;
    return n;
}

static void look_at(const struct xen_domctl_getdomaininfo *d)
{
    char name[17];

    if (!name_of(d, name))
        return;
    if (say(XS_READ, false, "/local/domain/%u/name", d->domain) && !waits(d->domain))
        return; /* one that waits has been made anew */
    plant(d, name);
    printf("%s: domain %u, %s\n", name, d->domain, connect_it(d, name));
}

int main(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = SOCKET };
    struct xen_domctl_getdomaininfo d;

    privcmd = open("/dev/xen/privcmd", O_RDWR);
    if (privcmd < 0 || mlockall(MCL_CURRENT | MCL_FUTURE))
        err(1, "/dev/xen/privcmd");
    store = socket(AF_UNIX, SOCK_STREAM, 0);
    if (store < 0 || connect(store, (struct sockaddr *)&at, sizeof(at)))
        err(1, "%s", SOCKET);
    for (uint16_t id = 1; find_from(id, &d); id = (uint16_t)(d.domain + 1))
        look_at(&d);
    return 0;
}
