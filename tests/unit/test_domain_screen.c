/* links: domain/domain_screen.c tests/fakes/panic.c */
/*
 * A PC's text memory, as the operator reads it: what stands there, and a guest that is never out of
 * its lock for long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "domain/domain.h"
#include "domain/domain_screen.h"
#include "guestmem/gmem.h"

static struct domain d;
static uint8_t memory[DOMAIN_SCREEN_ROWS][DOMAIN_SCREEN_COLUMNS][2];
static int answer;

int gmem_read(struct p2m *p, gpa_t from, void *to, size_t n)
{
    assert_ptr_equal(p, &d.p2m);
    assert_true(spin_is_locked(&d.lock));
    assert_in_range(from.v, 0xb8000, 0xb8000 + sizeof(memory) - n);
    memcpy(to, (uint8_t *)memory + from.v - 0xb8000, n);
    return answer;
}

/* The others' vCPUs let go, one after the other. */
void spin_wait(const struct spinlock *lock, uint32_t ticket)
{
    assert_ptr_equal(lock, &d.lock);
    d.lock.serving = ticket;
}

static int setup(void **state)
{
    (void)state;
    d = (struct domain){ .lock = SPINLOCK_INIT };
    memset(memory, 0, sizeof(memory));
    answer = 0;
    return 0;
}

static void test_text(void **state)
{
    static const char text[] = "C:\\>\x7f \xdb";
    char row[DOMAIN_SCREEN_COLUMNS + 1];

    (void)state;
    for (unsigned n = 0; text[n]; n++)
        memory[3][n][0] = (uint8_t)text[n];
    assert_int_equal(domain_screen_row(&d, 3, row), 0);
    assert_string_equal(row, "C:\\>? ?");
    assert_int_equal(domain_screen_row(&d, 24, row), 0);
    assert_string_equal(row, "");
    answer = -EFAULT;
    assert_int_equal(domain_screen_row(&d, 0, row), -EFAULT);
    assert_false(spin_is_locked(&d.lock));
}

/* Two vCPUs hand the lock to one another: it is never free, yet the operator has his turn. */
static void test_busy_guest(void **state)
{
    char row[DOMAIN_SCREEN_COLUMNS + 1];

    (void)state;
    memory[0][0][0] = 'x';
    d.lock.next = 2;
    assert_int_equal(domain_screen_row(&d, 0, row), 0);
    assert_string_equal(row, "x");
    assert_false(spin_is_locked(&d.lock));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup(test_text, setup),
                                        cmocka_unit_test_setup(test_busy_guest, setup) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
