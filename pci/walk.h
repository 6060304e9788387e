/*
 * What the walk over the buses does with each device that it finds.
 */
#ifndef CAISSON_PCI_WALK_H
#define CAISSON_PCI_WALK_H

struct pci_device;
struct pci_use;

/* bar.c. Reads where they are; does not write. */
void bar_read(struct pci_device *d);
/* Measures them, if that comes in nobody's way. */
void bar_measure(struct pci_device *d);
/* Notes with the device that answers there what it is used for. first: of the list. */
void bar_note_use(struct pci_device *first, const struct pci_use *use);

/* capability.c. Notes where each is. */
void capability_read(struct pci_device *d);

/* class.c. The class in words. */
const char *class_words(const struct pci_device *d);

#endif
