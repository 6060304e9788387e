/* links: pci/walk.c pci/bar.c pci/capability.c pci/class.c pci/describe.c pci/reset.c lib/bitmap.c lib/fmt.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * PCI devices that say anything at all: where some are, what their registers hold, which bits of
 * these stick, and when they are unplugged. Each access is looked at: it is aligned and inside the
 * configuration space that there is; what was there before is there afterwards; and all of it
 * comes to an end.
 */
#include <stdlib.h>
#include <string.h>
#include "arch/x86/acpi.h"
#include "lib/assert.h"
#include "mm/aspace.h"
#include "mm/heap.h"
#include "pci/pci.h"
#include "tests/fakes/log.h"
#include "tests/fuzz/input.h"

#define FUNCTIONS 12
#define MOST_READS                                                                                 \
    (70000 + 2048 * 16) /* 256 buses of 32 slots and their functions; and what is there */
#define WORDS        (CONFIG_EXTENDED_BYTES / 4)
#define PLACE_OF_BUS 0x100000

struct function {
    uint16_t bdf;
    uint32_t word[WORDS], before[WORDS], sticks;
};

struct acpi_info acpi;
static struct function functions[FUNCTIONS];
static unsigned function_count, reads;
static uint64_t unplugged_at; /* reads until all are */
static uint8_t pages[64][PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned page_count;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void *heap_pages(unsigned order, uint16_t owner)
{
    ASSERT(order == 0 && owner == OWNER_CAISSON);
    return page_count < 64 ? memset(pages[page_count++], 0, PAGE_SIZE) : NULL;
}

/* Never looked into: it only says that the place has 4096 bytes. */
void *aspace_map(maddr_t start, size_t size, enum aspace_kind kind)
{
    ASSERT(size % PLACE_OF_BUS == 0 && kind == ASPACE_UC);
    return (void *)(uintptr_t)start.v;
}

static bool is_reserved(maddr_t start, uint64_t size)
{
    return start.v && size;
}

bool config_by_ports(void)
{
    return true;
}

static struct function *find(const struct config_place *p)
{
    ASSERT(++reads < MOST_READS);
    for (unsigned i = 0; i < function_count && reads < unplugged_at; i++) {
        if (functions[i].bdf == p->bdf)
            return &functions[i];
    }
    return NULL;
}

static void check(const struct config_place *p, unsigned offset, unsigned width)
{
    ASSERT(offset % width == 0 &&
           offset < (p->segment->ecam ? CONFIG_EXTENDED_BYTES : CONFIG_BYTES));
}

uint32_t config_read32(const struct config_place *p, unsigned offset)
{
    const struct function *f = find(p);

    check(p, offset, 4);
    return f ? f->word[offset / 4] : 0xFFFFFFFF;
}

uint16_t config_read16(const struct config_place *p, unsigned offset)
{
    check(p, offset, 2);
    return (uint16_t)(config_read32(p, offset & ~3u) >> 8 * (offset & 3));
}

void config_write32(const struct config_place *p, unsigned offset, uint32_t value)
{
    struct function *f = find(p);

    check(p, offset, 4);
    if (f && offset == CONFIG_COMMAND)
        f->word[1] = (f->word[1] & ~0xFFFFu) | value;
    else if (f)
        f->word[offset / 4] = (f->word[offset / 4] & ~f->sticks) | (value & f->sticks);
}

/* Sound to begin with, then some words of the input's. */
static void make_function(struct function *f, struct input *in)
{
    uint8_t changes;

    memset(f->word, 0, sizeof(f->word));
    f->bdf = input_number(in, 2) & 0x07FF;
    f->sticks = (uint32_t)input_number(in, 4);
    f->word[0] = 0x00018086;
    f->word[1] = 0x00100007;
    f->word[2] = (uint32_t)input_number(in, 4);
    f->word[3] = (uint32_t)input_byte(in) << 16;
    f->word[13] = 0x40;
    f->word[16] = 0x00020010;
    changes = input_byte(in);
    for (unsigned i = 0; i < changes && !input_ended(in); i++) {
        unsigned at = (unsigned)input_number(in, 2) % WORDS;
        f->word[at] = (uint32_t)input_number(in, 4);
    }
    memcpy(f->before, f->word, sizeof(f->word));
}

static void describe_all(void)
{
    for (const struct pci_device *d = pci_next(NULL); d; d = pci_next(d)) {
        char *text = malloc(160);

        pci_describe(d, "; ", text, 160);
        ASSERT(strlen(text) < 160);
        free(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    uint8_t buses = input_byte(&in);
    struct pci_use uses[] = { { input_number(&in, 4), false, "screen" },
                              { input_number(&in, 2), true, "COM1" } };

    unplugged_at = input_number(&in, 2);
    unplugged_at = unplugged_at & 1 ? unplugged_at : UINT64_MAX;
    acpi = (struct acpi_info){ .mcfg_count = buses & 1 };
    acpi.mcfg[0] = (struct acpi_mcfg){ .base = maddr(0x80000000), .last_bus = buses >> 4 };
    function_count = page_count = reads = 0;
    while (function_count < FUNCTIONS && !input_ended(&in))
        make_function(&functions[function_count++], &in);
    pci_start(uses, 2, is_reserved);
    for (unsigned i = 0; i < function_count && unplugged_at == UINT64_MAX; i++)
        ASSERT(memcmp(functions[i].word, functions[i].before, sizeof(functions[i].word)) == 0);
    describe_all();
    return 0;
}
