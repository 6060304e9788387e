/* links: passthrough/passthrough.c passthrough/space.c passthrough/registers.c passthrough/ports.c passthrough/message.c passthrough/intx.c passthrough/arrival.c passthrough/vector.c passthrough/reset.c passthrough/place.c pci/window.c devices/vpci.c pci/walk.c pci/bar.c pci/capability.c pci/config.c pci/class.c pci/describe.c pci/reset.c pci/control.c lib/bitmap.c lib/fmt.c tests/fakes/str_copy.c tests/fakes/passed.c tests/fakes/config_space.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * A guest that does whatever it likes with its PCI device: accesses of all widths and alignments to
 * its configuration space, its registers wherever it has put them, interrupts whenever, and its end
 * at any moment. What must hold after each is passed_check(); that all comes back, the end.
 */
#include <stdlib.h>
#include <string.h>
#include "arch/x86/insn.h"
#include "lib/assert.h"
#include "tests/fakes/log.h"
#include "tests/fakes/passed.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Near where its BARs are, or anywhere. */
static uint64_t address(struct input *in)
{
    uint8_t where = input_byte(in);
    unsigned bar = where & 4 ? 0x18 : 0x10;
    uint64_t at = passed_config_read(bar, 4) & ~0xFul;

    if (where & 1)
        return input_number(in, 8);
    if (bar == 0x10)
        at |= (uint64_t)passed_config_read(0x14, 4) << 32;
    return at + input_number(in, 2) % 0x4010 - (where & 2 ? 8 : 0);
}

/* The values that a guest would write, and any. */
static uint32_t value(struct input *in)
{
    uint8_t kind = input_byte(in);

    switch (kind & 7) {
    case 0:
        return UINT32_MAX;
    case 1:
        return 0x80000000;
    case 2:
        return 0xFEE00000 | input_byte(in) << 12 | (kind & 0x80 ? 4 : 0);
    case 3:
        return 0xC0000000 + (input_byte(in) << 14);
    case 4:
        return input_byte(in);
    case 5:
        return 6;
    default:
        return (uint32_t)input_number(in, 4);
    }
}

/* As the bus splits them: within a word of configuration space. */
static void access_config(struct input *in, bool write)
{
    unsigned width = 1u << input_byte(in) % 3, reg = input_byte(in) & ~(width - 1);

    if (write)
        passed_config_write(reg, width, value(in));
    else
        (void)passed_config_read(reg, width);
}

/* Anything to the bus's ports, and to those of its own. */
static void access_ports(struct input *in)
{
    uint32_t offset = input_byte(in) % 8;
    unsigned width = 1u << input_byte(in) % 3;

    passed_bus.dev.ops->write(&passed_bus.dev, offset, width, (uint32_t)input_number(in, 4), 0);
    (void)passed_bus.dev.ops->read(&passed_bus.dev, offset, width, 0);
    uint16_t port = (uint16_t)((passed_config_read(0x1C, 4) & ~3u) + input_byte(in) % 0x28 - 4);
    passed_bus.ports.ops->write(&passed_bus.ports, port, width, input_byte(in), 0);
    (void)passed_bus.ports.ops->read(&passed_bus.ports, port, width, 0);
    offset =
        (VPCI_FIRST_SLOT << 15) + (uint32_t)input_number(in, 2) % 0x9000; /* and the next slot's */
    passed_bus.ecam.ops->write(&passed_bus.ecam, offset, width, (uint32_t)input_number(in, 4), 0);
    (void)passed_bus.ecam.ops->read(&passed_bus.ecam, offset, width, 0);
}

static void access_memory(struct input *in, bool write)
{
    unsigned width = 1u << input_byte(in) % 4;
    uint64_t at = address(in), v;

    if (vpci_map(&passed_bus, at))
        return;
    if (write)
        vpci_memory_write(&passed_bus, at, width, value(in) | (uint64_t)value(in) << 32);
    else
        vpci_memory_read(&passed_bus, at, width, &v);
}

static void give_back(void)
{
    unsigned calls = 0;

    while (!passthrough_detach(passed)) {
        ASSERT(++calls < 100);
        fake_tsc += 50000000;
    }
    passed = NULL;
    ASSERT(!passed_attached && !(passed_hardware->word[1] & PCI_COMMAND_MASTER));
    vpci_init(&passed_bus, 0);
}

static void attach(bool has_line)
{
    if (has_line)
        passed_give_line();
    if (passed_attach())
        abort();
}

static void step(struct input *in)
{
    bool has_line;

    switch (input_byte(in) % 14) {
    case 12:
        if (passed->intx)
            (void)passed_line_comes();
        break;
    case 13: /* of whichever line */
        vpci_end(&passed_bus, input_byte(in) % VPCI_LINES);
        break;
    case 0:
    case 1:
    case 2:
        access_config(in, true);
        break;
    case 3:
        access_config(in, false);
        break;
    case 4:
    case 5:
    case 6:
        access_memory(in, true);
        break;
    case 7:
        access_memory(in, false);
        break;
    case 8:
        passed_interrupt(input_byte(in) % ASSIGNED_MESSAGES);
        break;
    case 9:
        vpci_settle(&passed_bus);
        passed_wait(input_number(in, 2) * 100);
        break;
    case 10:
        access_ports(in);
        break;
    default:
        if (input_byte(in) % 16)
            break;
        has_line = passed->intx;
        give_back();
        attach(has_line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    fake_log_reset();
    passed_reset();
    if (input_byte(&in) % 2) /* of what a BAR leaves in one go */
        passed_taken = 1;
    attach(input_byte(&in) % 2);
    while (!input_ended(&in)) {
        step(&in);
        passed_check();
    }
    give_back();
    return 0;
}
