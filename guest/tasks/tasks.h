/*
 * What main.c and tasks.asm know of each other.
 */
#ifndef GUEST_TASKS_TASKS_H
#define GUEST_TASKS_TASKS_H

#include <stdint.h>

/* What the tasks have noted; found_t in tasks.asm. */
struct found {
    uint32_t b_tr, b_flags, b_cr0, b_cr3, b_marker, b_dr7, b_busy, main_busy, b_free, kept;
    uint32_t call_flags, call_link, gate, c_cs, c_link, c_ip, c_count;
    uint32_t pf_count, pf_error, pf_cr2, pf_link, pf_eip, pf_flags, nowhere_cr2;
    uint32_t df_count, df_error, df_stack, ts_error, ts_link, ts_eip;
    uint32_t ud_count, vm86_eax, vm86_cs, vm86_flags, vm86_eip;
    uint32_t soft, external, nmi, dr6, db_eip, done;
};
extern volatile struct found found;

/* From 64-bit mode through all tasks and back; interrupts off. */
void tasks_run(void);

extern uint64_t tasks_gdt[32], tasks_idt[256];
extern uint64_t pdpt_a[4], pdpt_b[4], pf_gate;
extern uint8_t tss_main[104], tss_b[104], tss_vm86[104], tss_df[104], tss_pf[104], tss_ts[104],
    tss_ud[104], tss_soft[104], tss_ext[104], tss_nmi[104];
extern uint16_t tss_c[22];
extern const uint8_t c_base[], c_again[], db_handler[], pf_handler[], vm86_code[], vm86_code_end[];
extern uint8_t tables[]; /* of guest/lib/start.asm: root, pointers, four page directories */

#endif
