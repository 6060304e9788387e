/* clang-format off */
/* links: emulate/string_insn.c exits/device_access.c emulate/mmio.c emulate/mmio_memory.c emulate/mmio_stack.c emulate/operate.c emulate/vector.c emulate/x87.c emulate/selector.c emulate/insn_cache.c decode/alu.c decode/decode.c decode/decode_form.c emulate/operand.c emulate/breakpoint.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c lib/fmt.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/bus.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c tests/fakes/decode_oracle.c libs: -lZydis */
/* clang-format on */
/*
 * Instructions on device memory, from the fetch to what they leave behind: any bytes, in any mode,
 * with page tables, segments and registers as the input says, against a machine of one register.
 *
 * What must hold: the instruction is stepped over, by the length that Zydis gives it, or goes on
 * (REP), or the guest has its fault, or the domain its end, and only one of these. Then again,
 * after changes to the page tables, by what is remembered of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/x86/cpu.h"
#include "guestmem/gmem.h"
#include "exits/device_access.h"
#include "lib/assert.h"
#include "tests/fakes/bus.h"
#include "tests/fakes/decode_oracle.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/heap.h"
#include "tests/fakes/log.h"
#include "tests/fuzz/input.h"

#define CODE    0x7000ul
#define DEVICE  0xfec00010ul
#define TABLES  0x1000ul /* and the next two pages */
#define AGAIN   4        /* times that one instruction is run, the guest's changes between */
#define PATCHES 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 32-bit and PAE paging, the first 4 GiB (1 GiB) one to one by large pages. */
static void build_paging(bool pae)
{
    for (unsigned i = 0; i < 512; i++) {
        uint64_t entry = pae ? (uint64_t)i << 21 | 0x87
                             : (2ul * i + 1) << 54 | 0x87ul << 32 | (uint64_t)(2 * i) << 22 | 0x87;
        guest_write64((pae ? 0x2000 : TABLES) + 8ul * i, entry);
    }
    if (pae)
        guest_write64(TABLES, 0x2001);
    cpu()->cr0 |= CR0_PG;
    cpu()->cr4 = pae ? CR4_PAE : CR4_PSE;
    cpu()->cr3 = TABLES;
}

static enum decode_mode take_mode(struct input *in)
{
    uint8_t choice = input_byte(in);
    enum decode_mode mode = (enum decode_mode)(choice % 3);

    guest_mode(mode);
    if (mode == DECODE_32 && choice & 0x30)
        build_paging(choice & 0x20);
    if (choice & 0x40)
        cpu()->cr0 |= CR0_WP;
    if (mode != DECODE_16)
        guest_cpl(choice & 0x80 ? 3 : 0);
    return mode;
}

static void take_registers(struct input *in)
{
    for (enum gpr n = GPR_RAX; n <= GPR_R15; n++) {
        uint8_t kind = input_byte(in);
        uint64_t value = kind < 128 ? kind : kind < 192 ? 0x6000 + kind : DEVICE;

        set_reg(n, kind >= 240 ? input_number(in, 8) : value);
    }
    cpu()->rflags = RFLAGS_FIXED | (input_number(in, 2) & 0xcd5);
}

static void take_segment(struct input *in)
{
    uint8_t which = input_byte(in);
    struct segment s;

    if (which % 8 > SEG_GS)
        return;
    virt_segment(&guest_vcpu.virt, (enum seg)(which % 8), &s);
    s.base = input_number(in, 4);
    s.limit = (uint32_t)input_number(in, 4);
    s.ar ^= (uint32_t)input_number(in, 2) & (which % 8 == SEG_CS || which % 8 == SEG_SS ? 0 : ~0u);
    virt_set_segment(&guest_vcpu.virt, (enum seg)(which % 8), &s);
}

/* The guest's page tables, and where they lead. */
static void take_patches(struct input *in)
{
    for (unsigned n = input_byte(in) % PATCHES; n; n--) {
        uint64_t at = TABLES + input_number(in, 2) % 0x3000;

        guest_write64(at & ~7ul, input_number(in, 8));
    }
}

/* What became of it. */
static void check(const uint8_t *code, unsigned length, enum decode_mode mode, uint64_t rip,
                  unsigned skips, unsigned injected)
{
    bool stepped = cpu()->skips != skips, faulted = cpu()->injected != injected, accepted;
    const char *differs = decode_oracle(code, length, mode, &accepted);

    ASSERT(cpu()->skips - skips <= 1 && cpu()->injected - injected <= 1);
    ASSERT(!(stepped && faulted));
    if (stepped) {
        struct decode d;
        ASSERT(decode_insn(code, length, mode, &d) == 0);
        ASSERT(d.op >= DECODE_CALL ||
               cpu()->rip == rip + d.length); /* branches go where they like */
    } else {
        ASSERT(cpu()->rip == rip);
    }
    if (!stepped && !faulted && !guest.end)
        ASSERT(accepted); /* a string that goes on */
    if (differs) {
        fprintf(stderr, "%s\n", differs);
        abort();
    }
}

static void run(struct input *in)
{
    enum decode_mode mode = take_mode(in);
    const uint8_t *code;
    uint8_t flags = input_byte(in), bytes[DECODE_MAX_BYTES] = { 0 };
    uint64_t rip = flags & 1 ? CODE : CODE + PAGE_SIZE - flags / 16;
    struct virt_exit e = { .kind = VIRT_EXIT_MEMORY,
                           .memory = { .gpa = gpa(DEVICE), .write = flags & 2 } };

    take_registers(in);
    for (unsigned n = flags / 4 % 4; n; n--)
        take_segment(in);
    size_t length = input_bytes(in, &code, DECODE_MAX_BYTES);
    if (length)
        memcpy(bytes, code, length);
    guest_put(rip, bytes, sizeof(bytes));
    cpu()->rip = rip;
    if (mode != DECODE_64)
        cpu()->seg[SEG_CS].base = 0;
    bus_register = input_number(in, 8);
    for (unsigned n = 0; n < AGAIN && !guest.end; n++) {
        unsigned skips = cpu()->skips;
        unsigned injected = cpu()->injected;

        cpu()->rip = rip;
        device_access_memory(&guest_vcpu, &e);
        if (n == 0)
            check(bytes, sizeof(bytes), mode, rip, skips, injected);
        bus_count = 0;
        take_patches(in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    guest_start();
    bus_reset();
    bus_device = gpa(DEVICE);
    fake_log_reset();
    run(&in);
    guest_stop();
    ASSERT(fake_heap_in_use() == 0);
    return 0;
}
