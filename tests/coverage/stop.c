/*
 * Only in the build that counts what runs (make coverage): before the machine goes off or starts
 * anew it stops for Bochs's debugger, which reads the counters out of its memory. Elsewhere the
 * instruction does nothing. Linked around the real functions (ld --wrap).
 */
_Noreturn void __wrap_host_power_off(void);
_Noreturn void __wrap_host_reboot(void);
_Noreturn void __real_host_power_off(void);
_Noreturn void __real_host_reboot(void);

/* Bochs, "magic_break". */
static void stop(void)
{
    __asm__ volatile("xchg %bx, %bx");
}

void __wrap_host_power_off(void)
{
    stop();
    __real_host_power_off();
}

void __wrap_host_reboot(void)
{
    stop();
    __real_host_reboot();
}
