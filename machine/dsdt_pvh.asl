/*
 * The DSDT of a pvh machine that has PCI devices: their bus, and soft-off. (The one without has
 * soft-off alone, in machine/acpi_guest.c.)
 */
DefinitionBlock ("dsdt_pvh.aml", "DSDT", 2, "CAISSN", "HVM", 1)
{
    Name (_S5, Package () { 5, 5, 0, 0 })

    Scope (_SB)
    {
        Include ("pci0.asl")
    }
}
