/*
 * Corrected machine checks raise no exception: somebody has to look.
 */
#ifndef CAISSON_BOOT_MCE_POLL_H
#define CAISSON_BOOT_MCE_POLL_H

/* From now on this pCPU looks every few minutes. Wants tsc_calibrate(). */
void mce_poll_start(void);

#endif
