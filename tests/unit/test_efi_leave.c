/* links: boot/efi/leave.c boot/efi_memory.c boot/regions.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * boot/efi/leave.c against a firmware whose memory map changes at the wrong moment. A service that
 * may not be called is not there: the call would crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "boot/efi/console.h"
#include "boot/efi/firmware.h"
#include "boot/efi/leave.h"
#include "tests/fakes/log.h"

#define STEP 48 /* of EDK II: more than what is defined */

EFI_BOOT_SERVICES *boot_services;
EFI_HANDLE own_image = (EFI_HANDLE)0x1234;
const uint8_t jump_start[1], jump_end[1];

static struct {
    unsigned pieces; /* of usable memory in the map, a page each, with one between */
    UINTN key;
    unsigned changes; /* how often it changes before ExitBootServices() */
    unsigned growth;  /* by how many pieces */
    unsigned exits;   /* calls of ExitBootServices() */
    bool silent, left;
} fw;

static void *allocated[4];
static unsigned allocations;
static struct boot_info info;

void console_silence(bool silent)
{
    fw.silent = silent;
}

const char *firmware_error(EFI_STATUS status)
{
    return status == EFI_BUFFER_TOO_SMALL ? "too small" : "another";
}

void *firmware_pages(UINTN size, EFI_PHYSICAL_ADDRESS highest)
{
    (void)highest;
    assert_int_equal(fw.exits, 0); /* after that no service but the two is left */
    fw.key++;
    fw.pieces++; /* what is allocated is in the map, too */
    return allocated[allocations++] = malloc(size);
}

static EFI_STATUS EFIAPI get_memory_map(UINTN *size, EFI_MEMORY_DESCRIPTOR *map, UINTN *key,
                                        UINTN *step, UINT32 *version)
{
    UINTN room = *size;

    assert_false(fw.left);
    *size = fw.pieces * STEP;
    *step = STEP;
    *version = 1;
    if (room < *size)
        return EFI_BUFFER_TOO_SMALL;
    for (unsigned i = 0; i < fw.pieces; i++) {
        EFI_MEMORY_DESCRIPTOR d = { .Type = EfiConventionalMemory,
                                    .PhysicalStart = 0x100000 + i * 0x2000UL,
                                    .NumberOfPages = 1,
                                    .Attribute = 0xF };
        memset((uint8_t *)map + i * STEP, 0xA5, STEP);
        memcpy((uint8_t *)map + i * STEP, &d, sizeof(d));
    }
    *key = fw.key;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI exit_boot_services(EFI_HANDLE image, UINTN key)
{
    assert_ptr_equal(image, own_image);
    assert_true(fw.silent);
    fw.exits++;
    if (fw.changes) {
        fw.changes--;
        fw.key++;
        fw.pieces += fw.growth;
    }
    if (key != fw.key)
        return EFI_INVALID_PARAMETER;
    fw.left = true;
    return EFI_SUCCESS;
}

static int begin(void **state)
{
    static EFI_BOOT_SERVICES services;

    (void)state;
    fake_log_reset();
    memset(&fw, 0, sizeof(fw));
    services.GetMemoryMap = get_memory_map;
    services.ExitBootServices = exit_boot_services;
    boot_services = &services;
    fw.pieces = 20;
    fw.key = 77;
    return 0;
}

static int end(void **state)
{
    (void)state;
    while (allocations)
        free(allocated[--allocations]);
    return 0;
}

/* What was handed over is the map whose key was taken. */
static void check_left(unsigned exits)
{
    assert_true(fw.left);
    assert_true(fw.silent);
    assert_int_equal(fw.exits, exits);
    assert_int_equal(info.region_count, fw.pieces);
    assert_int_equal(info.regions[fw.pieces - 1].start.v, 0x100000 + (fw.pieces - 1) * 0x2000UL);
    assert_string_equal(fake_log_text, "");
}

static void test_at_once(void **state)
{
    (void)state;
    assert_int_equal(leave_firmware(&info), 0);
    check_left(1);
}

static void test_map_changed(void **state)
{
    (void)state;
    fw.changes = 2;
    fw.growth = 3;
    assert_int_equal(leave_firmware(&info), 0);
    check_left(3);
}

static void check_refused(const char *why)
{
    assert_int_equal(leave_firmware(&info), -EINVAL);
    assert_false(fw.left);
    assert_false(fw.silent);
    assert_true(fake_log_has("cannot leave the firmware's services"));
    assert_true(fake_log_has(why));
}

static void test_map_never_rests(void **state)
{
    (void)state;
    fw.changes = 1000;
    check_refused("never rests");
    assert_in_range(fw.exits, 2, 100);
}

/* It has grown by more than was provided for, and nothing can be allocated any more. */
static void test_map_outgrows(void **state)
{
    (void)state;
    fw.changes = 1;
    fw.growth = 200;
    check_refused("too small");
    assert_int_equal(fw.exits, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = { T(test_at_once), T(test_map_changed),
                                        T(test_map_never_rests), T(test_map_outgrows) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
