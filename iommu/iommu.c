/*
 * Which IOMMU the machine has.
 */
#include "iommu/iommu.h"

#include "arch/x86/acpi.h"
#include "iommu/amd.h"
#include "lib/log.h"

void iommu_start(void)
{
    if (acpi.ivrs)
        amd_start(acpi.ivrs, acpi.ivrs_bytes);
    else if (acpi.dmar.there)
        log_info("iommu: VT-d is not driven yet: devices reach all memory");
}
