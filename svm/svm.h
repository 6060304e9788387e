/*
 * The functions of virt/virt.h as AMD-V's back end has them.
 */
#ifndef CAISSON_SVM_SVM_H
#define CAISSON_SVM_SVM_H

#include "virt/virt.h"

int must_check svm_probe(enum virt_apicv apicv);
int must_check svm_cpu_enable(void);
void svm_cpu_disable(void);
int must_check svm_vcpu_create(struct virt_vcpu *v, const struct virt_vcpu_config *config);
void svm_vcpu_destroy(struct virt_vcpu *v);
void svm_reset(struct virt_vcpu *v);
void svm_load(struct virt_vcpu *v);
void svm_unload(struct virt_vcpu *v);
uint64_t svm_rsp(const struct virt_vcpu *v);
void svm_set_rsp(struct virt_vcpu *v, uint64_t rsp);
uint64_t svm_rip(const struct virt_vcpu *v);
void svm_set_rip(struct virt_vcpu *v, uint64_t rip);
uint64_t svm_rflags(const struct virt_vcpu *v);
void svm_set_rflags(struct virt_vcpu *v, uint64_t rflags);
void svm_segment(const struct virt_vcpu *v, enum seg s, struct segment *out);
void svm_set_segment(struct virt_vcpu *v, enum seg s, const struct segment *in);
void svm_set_gdt(struct virt_vcpu *v, uint64_t base, uint16_t limit);
unsigned svm_cpl(const struct virt_vcpu *v);
uint64_t svm_cr0(const struct virt_vcpu *v);
uint64_t svm_cr3(const struct virt_vcpu *v);
uint64_t svm_cr4(const struct virt_vcpu *v);
uint64_t svm_efer(const struct virt_vcpu *v);
bool svm_in_64bit_code(const struct virt_vcpu *v);
int must_check svm_set_cr0(struct virt_vcpu *v, uint64_t value);
int must_check svm_set_cr3(struct virt_vcpu *v, uint64_t value);
int must_check svm_set_cr4(struct virt_vcpu *v, uint64_t value);
int must_check svm_set_efer(struct virt_vcpu *v, uint64_t value);
void svm_mode(const struct virt_vcpu *v, struct virt_mode *m);
uint64_t svm_mode_and_rip(const struct virt_vcpu *v, struct virt_mode *m);
bool svm_msr_read(const struct virt_vcpu *v, uint32_t msr, uint64_t *value);
int must_check svm_msr_write(struct virt_vcpu *v, uint32_t msr, uint64_t value);
void svm_set_tsc_offset(struct virt_vcpu *v, uint64_t offset);
void svm_set_apic_mode(struct virt_vcpu *v, enum virt_apic_mode mode);
void svm_set_interrupts(struct virt_vcpu *v, uint8_t requested, uint8_t served);
void svm_request_interrupt(struct virt_vcpu *v, uint8_t vector);
bool svm_interrupt_due(const struct virt_vcpu *v, uint8_t tpr);
void svm_set_eoi_exits(struct virt_vcpu *v, const uint64_t vectors[4]);
void svm_set_held_class(struct virt_vcpu *v, unsigned held);
bool svm_stay(struct virt_vcpu *v, uint64_t now, const struct virt_action actions[VIRT_EXIT_KINDS]);
void svm_irqs_served(struct virt_vcpu *v);
void svm_skip(struct virt_vcpu *v);
void svm_skip_len(struct virt_vcpu *v, uint64_t len);
struct virt_io_string svm_io_string(const struct virt_vcpu *v, struct virt_io io);
bool svm_event_pending(const struct virt_vcpu *v);
bool svm_irq_open(const struct virt_vcpu *v);
void svm_want_irq_window(struct virt_vcpu *v, bool want);
void svm_flush_ept(const struct slat *ept);
bool svm_dump_regs(const struct virt_vcpu *v, unsigned part);
bool svm_dump_vmcs(const struct virt_vcpu *v, unsigned part);

#endif
