/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel maps the pages around each page that is touched, so that after start-up nearly all of
 * every library is mapped, while pings and pongs need a few pages. Text is never written (the
 * service runs with MemoryDenyWriteExecute=), so unmapping loses nothing. Writable and relocated
 * segments stay. */
#include "system/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/time-util.h"
#include "basic/timer.h"

#define DELAY_USEC (2 * USEC_PER_SEC)

static int trim_object(struct dl_phdr_info *info, size_t size, void *userdata) {
    uintptr_t page_mask = ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);

    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t begin = (info->dlpi_addr + segment->p_vaddr) & page_mask;
        uintptr_t end = info->dlpi_addr + segment->p_vaddr + segment->p_memsz;

        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) && !(segment->p_flags & PF_W))
            (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
    return 0;
}

void memory_trim(void) {
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(trim_object, NULL);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    memory_trim();
    return 0;
}

int memory_trimmer_new(sd_event *event, sd_event_source **ret_timer) {
    return timer_new(event, 0, on_timer, NULL, ret_timer);
}

void memory_trim_later(sd_event_source *timer) {
    (void)timer_arm_in(timer, DELAY_USEC);
}
