/* links: emulate/string_insn.c exits/device_access.c emulate/mmio.c emulate/mmio_memory.c emulate/mmio_stack.c emulate/operate.c emulate/vector.c emulate/x87.c virt/fpu_x87.c emulate/selector.c emulate/insn_cache.c decode/alu.c decode/decode.c decode/decode_form.c emulate/operand.c emulate/breakpoint.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c lib/fmt.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Instructions on device memory, carried out by Caisson and by the CPU of this machine: random
 * encodings, registers, flags and memory; then all three are compared, as far as the SDM defines
 * them. EMULATE_ROUNDS and EMULATE_SEED in the environment make it longer, or another.
 *
 * The CPU runs the instruction on two pages of this process that stand where the guest has its
 * device, so that one set of registers serves both.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include "arch/x86/cpu.h"
#include "exits/device_access.h"
#include "tests/fakes/guest.h"
#include "virt/fpu.h"
#include "virt/fpu_area.h"

#define ROUNDS 300000
#define CODE   0x7000ul     /* of the guest */
#define NATIVE 0x40100000ul /* of this process */
#define DEVICE 0x40000000ul
#define BYTES  0x2000u
#define MARGIN 0x100u /* of the device, at either end */
#define REPEAT 24     /* within that, at most */
#define FLAGS  (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* ---- The device: memory ---- */

static uint8_t device[BYTES];

bool machine_has_mmio(const struct machine *m, const struct vlapic *l, gpa_t at)
{
    (void)m;
    (void)l;
    return at.v >= DEVICE && at.v < DEVICE + BYTES;
}

uint32_t machine_port_read(struct machine *m, uint16_t port, unsigned size)
{
    (void)m;
    (void)port;
    (void)size;
    abort();
}

void machine_port_write(struct machine *m, uint16_t port, unsigned size, uint32_t value)
{
    (void)value;
    (void)machine_port_read(m, port, size);
}

uint64_t machine_mmio_read(struct machine *m, struct vlapic *l, gpa_t at, unsigned size)
{
    uint64_t value = 0;

    assert_true(machine_has_mmio(m, l, at) && machine_has_mmio(m, l, gpa(at.v + size - 1)));
    memcpy(&value, device + at.v - DEVICE, size);
    return value;
}

void machine_mmio_write(struct machine *m, struct vlapic *l, gpa_t at, unsigned size,
                        uint64_t value)
{
    assert_true(machine_has_mmio(m, l, at) && machine_has_mmio(m, l, gpa(at.v + size - 1)));
    memcpy(device + at.v - DEVICE, &value, size);
}

/* ---- The CPU ---- */

/* The guest's x87 is this CPU's while the emulator is at it, as it is in Caisson. */
static struct fpu_area out __attribute__((aligned(16)));

struct fpu_area *fpu_take_out(struct virt_vcpu *v)
{
    (void)v;
    __asm__ volatile("fxsave64 %0" : "=m"(out));
    return &out;
}

void fpu_load(struct virt_vcpu *v)
{
    (void)v;
    __asm__ volatile("fxrstor64 %0" : : "m"(out));
}

struct state {
    uint64_t gpr[16], flags, mmx[8], vector[16][4];
    struct fpu_area x87 __attribute__((aligned(16))); /* MMX apart, which is in mmx[] */
};
struct state native_state;
bool native_has_avx, native_is_x87;
void *native_code = (void *)NATIVE;
uint64_t native_host_rsp;
void native_run(void);
void native_back(void);
_Static_assert(offsetof(struct state, x87) == 720, "native_run() knows it");

/* All registers from native_state, the instruction, all registers back. */
__asm__(".text\n"
        ".globl native_run\n"
        "native_run:\n"
        "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "mov %rsp, native_host_rsp(%rip)\n"
        "lea native_state(%rip), %rax\n"
        "fxrstor64 720(%rax)\n"
        "cmpb $0, native_is_x87(%rip)\n jne 4f\n"
        ".set i, 0\n .irp n, 0,1,2,3,4,5,6,7\n movq 136+8*i(%rax), %mm\\n\n"
        ".set i, i+1\n .endr\n"
        "4: cmpb $0, native_has_avx(%rip)\n je 1f\n"
        ".set i, 0\n .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "vmovdqu 200+32*i(%rax), %ymm\\n\n .set i, i+1\n .endr\n"
        "1: .set i, 0\n .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "cmpb $0, native_has_avx(%rip)\n jne 2f\n"
        "movdqu 200+32*i(%rax), %xmm\\n\n .set i, i+1\n .endr\n"
        "2: pushq 128(%rax)\n popfq\n"
        "mov 8(%rax), %rcx\n mov 16(%rax), %rdx\n mov 24(%rax), %rbx\n"
        "mov 40(%rax), %rbp\n mov 48(%rax), %rsi\n mov 56(%rax), %rdi\n"
        "mov 64(%rax), %r8\n mov 72(%rax), %r9\n mov 80(%rax), %r10\n mov 88(%rax), %r11\n"
        "mov 96(%rax), %r12\n mov 104(%rax), %r13\n mov 112(%rax), %r14\n mov 120(%rax), %r15\n"
        "mov 32(%rax), %rsp\n mov (%rax), %rax\n"
        "jmp *native_code(%rip)\n"
        ".globl native_back\n"
        "native_back:\n"
        "mov %rsp, 32+native_state(%rip)\n"
        "mov native_host_rsp(%rip), %rsp\n"
        "mov %rax, native_state(%rip)\n"
        "lea native_state(%rip), %rax\n"
        "pushfq\n popq 128(%rax)\n"
        "mov %rcx, 8(%rax)\n mov %rdx, 16(%rax)\n mov %rbx, 24(%rax)\n"
        "mov %rbp, 40(%rax)\n mov %rsi, 48(%rax)\n mov %rdi, 56(%rax)\n"
        "mov %r8, 64(%rax)\n mov %r9, 72(%rax)\n mov %r10, 80(%rax)\n mov %r11, 88(%rax)\n"
        "mov %r12, 96(%rax)\n mov %r13, 104(%rax)\n mov %r14, 112(%rax)\n mov %r15, 120(%rax)\n"
        "fxsave64 720(%rax)\n"
        "cmpb $0, native_is_x87(%rip)\n jne 5f\n"
        ".set i, 0\n .irp n, 0,1,2,3,4,5,6,7\n movq %mm\\n, 136+8*i(%rax)\n"
        ".set i, i+1\n .endr\n"
        "5: "
        ".set i, 0\n .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "movdqu %xmm\\n, 200+32*i(%rax)\n .set i, i+1\n .endr\n"
        "cmpb $0, native_has_avx(%rip)\n je 3f\n"
        ".set i, 0\n .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "vmovdqu %ymm\\n, 200+32*i(%rax)\n .set i, i+1\n .endr\n"
        "vzeroupper\n"
        "3: fninit\n cld\n"
        "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
        "ret\n");

static sigjmp_buf faulted;

static void on_signal(int number)
{
    siglongjmp(faulted, number);
}

static void catch_signals(void)
{
    static uint8_t stack[65536];
    stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };

    assert_int_equal(sigaltstack(&alternate, NULL), 0);
    assert_int_equal(sigaction(SIGFPE, &action, NULL), 0);
    assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
    assert_int_equal(sigaction(SIGILL, &action, NULL), 0);
}

static uint8_t *map_at(uint64_t at, size_t n, int rights)
{
    void *p = mmap((void *)at, n, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    assert_ptr_equal(p, (void *)at);
    return p;
}

/* The instruction, then JMP [RIP] to native_back. The signal that it got, or 0. */
static int run_natively(const uint8_t *bytes, unsigned length)
{
    static const uint8_t jump[] = { 0xFF, 0x25, 0, 0, 0, 0 };
    uint8_t *code = (uint8_t *)NATIVE;
    void (*back)(void) = native_back;

    memcpy(code, bytes, length);
    memcpy(code + length, jump, sizeof(jump));
    memcpy(code + length + sizeof(jump), &back, sizeof(back));
    int number = sigsetjmp(faulted, 1);
    if (!number)
        native_run();
    return number;
}

/* ---- Encodings ---- */

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    uint64_t high = seed >> 32;
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    uint64_t all = high << 32 | seed >> 32;
    return below ? all % below : all;
}

static unsigned make(uint8_t *bytes)
{
    static const uint8_t two[] = { 0x40, 0x4F, 0x90, 0x9F, 0xA3, 0xA4, 0xA5, 0xAB, 0xAC,
                                   0xAD, 0xAF, 0xB0, 0xB1, 0xB3, 0xB6, 0xB7, 0xB8, 0xBA,
                                   0xBB, 0xBC, 0xBD, 0xBE, 0xBF, 0xC0, 0xC1, 0xC7, 0x38 };
    static const uint8_t moves[] = { 0x10, 0x11, 0x12, 0x13, 0x16, 0x17, 0x28, 0x29, 0x2A, 0x2B,
                                     0x6E, 0x6F, 0x7E, 0x7F, 0xAE, 0xC3, 0xD6, 0xE7, 0xF0, 0xF7 };
    static const uint8_t prefixes[] = { 0x66, 0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x3E };
    unsigned n = 0;

    while (draw(3) == 0 && n < 3)
        bytes[n++] = prefixes[draw(sizeof(prefixes))];
    if (draw(8) == 0) { /* VEX, without a third operand */
        bool three = draw(2);
        uint8_t last = 0x78 | (uint8_t)draw(8);
        bytes[n++] = three ? 0xC4 : 0xC5;
        if (three)
            bytes[n++] = (uint8_t)(draw(8) << 5 | (1 + draw(2)));
        bytes[n++] = last | (uint8_t)(draw(2) << 7);
        bytes[n++] = moves[draw(sizeof(moves))];
        while (n < DECODE_MAX_BYTES)
            bytes[n++] = (uint8_t)draw(0);
        return n;
    }
    if (draw(2))
        bytes[n++] = (uint8_t)(0x40 + draw(16));
    if (draw(8) == 0)
        bytes[n++] = (uint8_t)(0xD8 + draw(8));
    if (draw(2)) {
        bytes[n++] = 0x0F;
        bytes[n] = draw(3) ? two[draw(sizeof(two))] : (uint8_t)draw(0);
        if (draw(4) == 0)
            bytes[n] = moves[draw(sizeof(moves))];
        if (bytes[n++] == 0x38)
            bytes[n++] = draw(3) ? (uint8_t)(0xF0 + draw(2)) : 0x2A;
    }
    while (n < DECODE_MAX_BYTES)
        bytes[n++] = (uint8_t)draw(0);
    return n;
}

static bool is_bit_by_register(const struct decode *d)
{
    return d->op >= DECODE_BT && d->op <= DECODE_BTC && !d->has_immediate;
}

/* What is compared here: branches have tests of their own; FS and GS are the C library's, and what
 * is relative to RIP or absolute cannot be aimed. */
static bool is_wanted(const struct decode *d)
{
    if (d->op >= DECODE_STORE_SELECTOR && d->op <= DECODE_SMSW) /* this process has others */
        return false;
    if (d->op >= DECODE_CALL || d->rip_relative || d->segment >= SEG_FS)
        return false;
    if (d->bare)
        return d->op != DECODE_POPF; /* which may set TF */
    return (!d->vex || native_has_avx) && (d->base >= 0 || d->index >= 0);
}

/* Both pointers, one of them at `at`, and a count that leads neither out of the device; often all
 * is equal, so that comparisons go on. Of a count of zero the vendors make different things. */
static void aim_string(struct state *s, const struct decode *d, uint64_t at)
{
    uint64_t above = d->addr_size == 4 ? draw(0) & ~0xfffffffful : 0;
    uint64_t other = DEVICE + MARGIN + draw(BYTES - 2 * MARGIN);

    s->gpr[GPR_RSI] = above | (d->base == GPR_RSI ? at : other);
    s->gpr[GPR_RDI] = above | (d->base == GPR_RDI ? at : other);
    s->gpr[GPR_RCX] = above | (1 + draw(REPEAT));
    s->flags |= draw(2) ? RFLAGS_DF : 0;
    if (draw(2)) {
        memset(device, 0x5A, BYTES);
        device[draw(BYTES)] = 0xA5;
        s->gpr[GPR_RAX] = draw(2) ? 0x5A5A5A5A5A5A5A5A : 0xA5;
    }
}

/* Aims the memory operand at `at`; false if these registers cannot. */
static bool aim(struct state *s, const struct decode *d, uint64_t at)
{
    uint64_t want = at - (uint64_t)d->displacement;

    if (decode_is_string(d->op)) {
        aim_string(s, d, at);
        return true;
    }
    if (d->op == DECODE_LEAVE)
        s->gpr[GPR_RBP] = at;
    if (d->bare)
        return true;

    if (is_bit_by_register(d)) {
        int64_t bit = (int64_t)draw(800) - 400;
        if (d->reg == d->base || d->reg == d->index)
            return false;
        s->gpr[d->reg] = (s->gpr[d->reg] & (d->size == 2   ? ~0xfffful
                                            : d->size == 4 ? ~0xfffffffful
                                                           : 0)) |
                         ((uint64_t)bit & (d->size == 2   ? 0xffff
                                           : d->size == 4 ? 0xffffffff
                                                          : ~0ul));
    }
    if (d->base >= 0 && d->base == d->index) {
        if (want % (1u + d->scale))
            return false;
        s->gpr[d->base] = want / (1u + d->scale);
    } else if (d->base >= 0) {
        if (d->index >= 0)
            want -= s->gpr[d->index] * d->scale;
        s->gpr[d->base] = want;
    } else {
        if (want % d->scale)
            return false;
        s->gpr[d->index] = want / d->scale;
    }
    if (d->addr_size == 4 && d->base != GPR_RSP)
        s->gpr[d->base >= 0 ? d->base : d->index] |= (draw(0) & ~0xfffffffful);
    return true;
}

/* Where the access begins: what the exit would name. */
static uint64_t address_of(const struct state *s, const struct decode *d)
{
    uint64_t at = (uint64_t)d->displacement;

    if (d->bare)
        return s->gpr[d->op == DECODE_LEAVE ? GPR_RBP : GPR_RSP];
    if (d->base >= 0)
        at += s->gpr[d->base];
    if (d->index >= 0)
        at += s->gpr[d->index] * d->scale;
    if (is_bit_by_register(d)) {
        unsigned unused = 64 - 8 * d->size;
        int64_t bit = (int64_t)(s->gpr[d->reg] << unused) >> unused;
        at += (uint64_t)((bit >> (3 + __builtin_ctz(d->size))) * d->size);
    }
    if (d->op == DECODE_POP && d->base == GPR_RSP)
        at += d->size;
    return d->addr_size == 4 ? (uint32_t)at : at;
}

/* ---- What the SDM leaves undefined ---- */

static unsigned count_of(const struct state *s, const struct decode *d)
{
    uint64_t count = d->by_cl ? s->gpr[GPR_RCX] : d->immediate;

    return (unsigned)count & (d->size == 8 ? 63 : 31);
}

static uint64_t defined_after_shift(const struct decode *d, unsigned count)
{
    uint64_t flags = FLAGS;

    if (!count)
        return flags;
    if (count != 1)
        flags &= ~RFLAGS_OF;
    if (d->op >= DECODE_SHL)
        flags &= ~RFLAGS_AF;
    if (d->op >= DECODE_SHL && count >= 8 * d->size)
        flags &= ~RFLAGS_CF;
    return flags;
}

static uint64_t defined_flags(const struct decode *d, const struct state *before)
{
    switch (d->op) {
    case DECODE_AND:
    case DECODE_OR:
    case DECODE_XOR:
    case DECODE_TEST:
        return FLAGS & ~RFLAGS_AF;
    case DECODE_BT:
    case DECODE_BTS:
    case DECODE_BTR:
    case DECODE_BTC:
        return RFLAGS_CF | RFLAGS_ZF;
    case DECODE_MUL:
    case DECODE_IMUL_WIDE:
    case DECODE_IMUL:
        return RFLAGS_CF | RFLAGS_OF;
    case DECODE_DIV:
    case DECODE_IDIV:
        return 0;
    case DECODE_BSF:
    case DECODE_BSR:
        return RFLAGS_ZF;
    case DECODE_TZCNT:
    case DECODE_LZCNT:
        return RFLAGS_ZF | RFLAGS_CF;
    default:
        if (d->op >= DECODE_ROL && d->op <= DECODE_SHRD)
            return defined_after_shift(d, count_of(before, d));
        return FLAGS;
    }
}

/* The whole result. */
static bool is_undefined(const struct decode *d, const struct state *before)
{
    bool doubled = d->op == DECODE_SHLD || d->op == DECODE_SHRD;

    return doubled && count_of(before, d) > 8 * d->size;
}

static bool memory_is_zero(uint64_t at, unsigned size)
{
    static const uint8_t none[16];

    return memcmp((void *)at, none, size) == 0;
}

/* ---- x87 ---- */

static struct fpu_area emulated_x87 __attribute__((aligned(16)));

static bool is_x87(const struct decode *d)
{
    return d->op == DECODE_X87_LOAD || d->op == DECODE_X87_STORE;
}

/* Numbers of all kinds, some registers empty, exceptions masked or not; now and then one pending.
 */
static void fill_x87(struct fpu_area *a)
{
    static const uint16_t exponents[] = { 0,      1,      0x3fff, 0x3f80, 0x4020,
                                          0x407f, 0x43ff, 0x7ffe, 0x7fff };

    memset(a, 0, sizeof(*a));
    a->mxcsr = 0x1f80;
    a->fcw = 0x37f;
    if (!native_is_x87)
        return;
    a->fcw = (uint16_t)(0x40 | (draw(2) ? 0x3f : draw(64)) | draw(16) << 8);
    a->fsw = (uint16_t)(draw(0) & 0x7f00);
    a->ftw = draw(2) ? 0xff : (uint8_t)draw(0);
    a->fsw |= (uint16_t)(draw(64) & a->fcw & 0x3f);
    if (draw(16) == 0) { /* unmasked: pending */
        a->fsw |= (uint16_t)draw(64);
        if (a->fsw & ~a->fcw & 0x3f)
            a->fsw |= 0x8080;
    }
    for (unsigned i = 0; i < 8; i++) {
        uint64_t fraction = draw(0) | (draw(8) ? 1ul << 63 : 0);
        uint16_t exponent = draw(2) ? exponents[draw(9)] : (uint16_t)(0x3ff0 + draw(64));
        if (draw(4) == 0)
            fraction &= 0xffff000000000000;
        exponent |= (uint16_t)(draw(2) << 15);
        memcpy(a->st[i], &fraction, 8);
        memcpy(a->st[i] + 8, &exponent, 2);
    }
}

/* The same, with the emulated instruction where the other one stood. */
static bool same_x87(const struct fpu_area *a, const struct fpu_area *b)
{
    uint64_t code = a->fip == CODE ? NATIVE : a->fip;

    return a->fcw == b->fcw && a->fsw == b->fsw && a->ftw == b->ftw && code == b->fip &&
           a->fdp == b->fdp && a->fop == b->fop && !memcmp(a->st, b->st, sizeof(a->st));
}

/* ---- One round ---- */

static void emulate(const uint8_t *bytes, unsigned length, const struct state *s, uint64_t at)
{
    struct virt_exit e = { .kind = VIRT_EXIT_MEMORY, .memory = { .gpa = gpa(at) } };

    guest_put(CODE, bytes, length);
    cpu()->rip = CODE;
    cpu()->rflags = RFLAGS_FIXED | RFLAGS_IF | s->flags;
    cpu()->injected = 0;
    for (unsigned i = 0; i < 16; i++)
        set_reg((enum gpr)i, s->gpr[i]);
    memcpy(cpu()->mmx, s->mmx, sizeof(s->mmx));
    memcpy(cpu()->vector, s->vector, sizeof(s->vector));
    emulated_x87 = s->x87;
    if (native_is_x87)
        __asm__ volatile("fxrstor64 %0" : : "m"(emulated_x87));
    device_access_memory(&guest_vcpu, &e);
    if (native_is_x87)
        __asm__ volatile("fxsave64 %0\n fninit" : "=m"(emulated_x87));
}

static void tell(const uint8_t *bytes, unsigned length, const struct state *before)
{
    fprintf(stderr, "\nbytes:");
    for (unsigned i = 0; i < length; i++)
        fprintf(stderr, " %02x", bytes[i]);
    fprintf(stderr, "\nflags before %lx, Caisson %lx, CPU %lx\n", before->flags,
            cpu()->rflags & FLAGS, native_state.flags & FLAGS);
    for (unsigned i = 0; i < 16; i++)
        if (reg((enum gpr)i) != native_state.gpr[i])
            fprintf(stderr, "r%u before %lx, Caisson %lx, CPU %lx\n", i, before->gpr[i],
                    reg((enum gpr)i), native_state.gpr[i]);
    for (unsigned i = 0; i < 64; i++)
        if (cpu()->vector[i / 4][i % 4] != native_state.vector[i / 4][i % 4])
            fprintf(stderr, "vector %u.%u: Caisson %lx, CPU %lx\n", i / 4, i % 4,
                    cpu()->vector[i / 4][i % 4], native_state.vector[i / 4][i % 4]);
    if (native_is_x87)
        fprintf(stderr,
                "x87: Caisson cw %x sw %x tw %x ip %lx dp %lx op %x, CPU cw %x sw %x tw %x ip %lx "
                "dp %lx op %x\n",
                emulated_x87.fcw, emulated_x87.fsw, emulated_x87.ftw, emulated_x87.fip,
                emulated_x87.fdp, emulated_x87.fop, native_state.x87.fcw, native_state.x87.fsw,
                native_state.x87.ftw, native_state.x87.fip, native_state.x87.fdp,
                native_state.x87.fop);
    for (unsigned i = 0; i < 8; i++)
        if (cpu()->mmx[i] != native_state.mmx[i])
            fprintf(stderr, "mm%u: Caisson %lx, CPU %lx\n", i, cpu()->mmx[i], native_state.mmx[i]);
    for (unsigned i = 0; i < BYTES; i++)
        if (device[i] != ((uint8_t *)DEVICE)[i])
            fprintf(stderr, "byte %x: Caisson %02x, CPU %02x\n", i, device[i],
                    ((uint8_t *)DEVICE)[i]);
}

static bool same(const struct decode *d, const struct state *before, bool zero)
{
    uint64_t flags = defined_flags(d, before);
    bool scan_of_nothing = (d->op == DECODE_BSF || d->op == DECODE_BSR) && zero;

    if (is_undefined(d, before))
        return true;
    if ((cpu()->rflags ^ native_state.flags) & flags)
        return false;
    for (int i = 0; i < 16; i++)
        if (reg((enum gpr)i) != native_state.gpr[i] && !(scan_of_nothing && i == d->reg))
            return false;
    if (native_is_x87 && !same_x87(&emulated_x87, &native_state.x87))
        return false;
    if (memcmp(cpu()->mmx, native_state.mmx, sizeof(native_state.mmx)))
        return false;
    for (unsigned i = 0; i < 16; i++)
        if (memcmp(cpu()->vector[i], native_state.vector[i], native_has_avx ? 32 : 16))
            return false;
    return memcmp(device, (void *)DEVICE, BYTES) == 0;
}

/* Values with many equal halves and small numbers, so that the rare branches are taken. */
static void fill(struct state *s, const struct decode *d, uint64_t at)
{
    for (unsigned i = 0; i < 24 && !decode_is_string(d->op); i++)
        device[at - DEVICE - 4 + i] = (uint8_t)(draw(4) ? draw(0) : draw(2) * 255);
    if (draw(8) == 0)
        memset(device + at - DEVICE, 0, 16);
    memcpy((void *)DEVICE, device, BYTES);
    if (draw(2) && d->base != GPR_RAX && d->index != GPR_RAX)
        memcpy(&s->gpr[GPR_RAX], device + at - DEVICE, 8);
    if (draw(2) && d->base != GPR_RDX && d->index != GPR_RDX) {
        if (d->op == DECODE_CMPXCHG_PAIR)
            memcpy(&s->gpr[GPR_RDX], device + at - DEVICE + d->size / 2, 8);
        else
            s->gpr[GPR_RDX] = draw(2) ? 0 : ~0ul;
    }
}

/* True if the encoding was one to compare. */
static bool round_trip(void)
{
    uint8_t bytes[DECODE_MAX_BYTES];
    struct state before;
    struct decode d;
    unsigned count = make(bytes);

    if (decode_insn(bytes, count, DECODE_64, &d) || !is_wanted(&d))
        return false;
    for (unsigned i = 0; i < 16; i++)
        before.gpr[i] = draw(4) ? draw(0) : draw(300);
    before.flags = draw(0) & FLAGS;
    before.gpr[GPR_RSP] = DEVICE + 0x800 + (draw(0x1000) & ~7ul);
    uint64_t at = DEVICE + MARGIN + draw(BYTES - 2 * MARGIN);
    if (draw(8) == 0)
        at = DEVICE + BYTES / 2 - draw(16); /* over the border of two pages */
    if (d.aligned && draw(8))
        at &= ~(d.size - 1ul);
    for (unsigned i = 0; i < 8; i++)
        before.mmx[i] = draw(0);
    for (unsigned i = 0; i < 64; i++)
        before.vector[i / 4][i % 4] = draw(0);
    native_is_x87 = is_x87(&d);
    fill_x87(&before.x87);
    if (!aim(&before, &d, at))
        return false;
    at = address_of(&before, &d);
    if (at < DEVICE + 32 || at + 48 > DEVICE + BYTES ||
        before.gpr[GPR_RSP] - DEVICE - 32 > BYTES - 64)
        return false;
    fill(&before, &d, at);
    if (address_of(&before, &d) != at)
        return false;
    bool zero = memory_is_zero(at, d.size < 16 ? d.size : 16);
    native_state = before;
    int number = run_natively(bytes, d.length);
    emulate(bytes, d.length, &before, at);
    if (number) {
        unsigned vector = number != SIGFPE ? VECTOR_GP : native_is_x87 ? VECTOR_MF : VECTOR_DE;
        if (number != SIGILL && cpu()->injected == 1 && cpu()->pending.vector == vector)
            return true;
        tell(bytes, d.length, &before);
        fail_msg("signal %d, and Caisson injected %u", number, cpu()->injected);
    }
    if (cpu()->injected || guest.end || cpu()->rip != CODE + d.length || !same(&d, &before, zero)) {
        tell(bytes, d.length, &before);
        fail_msg("Caisson and the CPU differ; injected %u", cpu()->injected);
    }
    return true;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void test_native(void **state)
{
    uint64_t rounds = number_from("EMULATE_ROUNDS", ROUNDS), compared = 0;

    (void)state;
    seed = number_from("EMULATE_SEED", 1);
    map_at(DEVICE, BYTES, PROT_READ | PROT_WRITE);
    map_at(NATIVE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    catch_signals();
    guest_start();
    guest_mode(DECODE_64);
    cpu()->cr4 |= CR4_OSFXSR | CR4_OSXSAVE;
    cpu()->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    native_has_avx = __builtin_cpu_supports("avx");
    for (uint64_t i = 0; i < rounds; i++)
        compared += round_trip();
    guest_stop();
    print_message("%lu of %lu encodings compared\n", compared, rounds);
    assert_true(compared > rounds / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_native) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
