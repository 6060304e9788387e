/*
 * Why VMRUN has refused a VMCB, in words: the APM's checks, done again in software.
 */
#ifndef CAISSON_SVM_CHECK_H
#define CAISSON_SVM_CHECK_H

struct vmcb;

/* The first rule that it breaks, with the field's name and value; or NULL if none is found. The
 * text is good until this pCPU's next call. */
const char *svm_check(const struct vmcb *vmcb);

#endif
