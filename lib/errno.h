/*
 * Error numbers, with the values that Linux and Xen give them (xen/include/public/errno.h), since
 * a hypercall hands them to the guest. Functions return them negated; 0 is success.
 */
#ifndef CAISSON_LIB_ERRNO_H
#define CAISSON_LIB_ERRNO_H

#define EPERM      1
#define ENOENT     2
#define ESRCH      3
#define EIO        5
#define E2BIG      7
#define ENOEXEC    8
#define EAGAIN     11
#define ENOMEM     12
#define EACCES     13
#define EFAULT     14
#define EBUSY      16
#define EEXIST     17
#define ENODEV     19
#define EINVAL     22
#define ENOSPC     28
#define ERANGE     34
#define ENOSYS     38
#define ENODATA    61
#define ETIME      62
#define EOVERFLOW  75
#define EOPNOTSUPP 95
#define ENOBUFS    105

/* A result that the caller may not drop. */
#define must_check __attribute__((warn_unused_result))

#endif
