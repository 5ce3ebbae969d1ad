/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start. The steps, each of which may end it with a sentence:
 *
 *     prepare   machine lock, sockets, checkpoint CREATING, the way to the daemon
 *     probe     what can libvirt do, and as whom: the accelerator
 *     create    the domain, paused; QEMU connects to our sockets meanwhile or soon after, and its process is recorded: MET
 *     resume    the guest is let go, checkpoint RUNNING, STARTED
 *
 * When the daemon is lost in the middle nobody knows what it made of the last request: the same steps are gone again when it is back,
 * and find what there is. Only before the first request to create is a daemon that is away a start that failed.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "backends/disk-file.h"
#include "backends/libvirt/domain-calls.h"
#include "backends/libvirt/domain-xml.h"
#include "backends/libvirt/libvirt-vm.h"
#include "backends/vmm.h"
#include "base/file.h"
#include "base/strings.h"

static int on_late(sd_event_source *source, uint64_t when, void *userdata)
{
    LibvirtVm *l = userdata;

    if (l->created)
        libvirt_start_failed(
            l,
            strf("QEMU does not connect to the sockets in %s; may its user enter that directory?", l->path));
    else
        libvirt_start_failed(l, strf("libvirt's daemon was lost while it made the domain"));
    return 0;
}

/* Answers that never came are told by libvirt_start_away() too, which knows better. */
static bool is_lost(const Job *job)
{
    return job->error == -ECONNRESET || job->error == -ETIMEDOUT;
}

/* libvirt breaks its sentences into lines; ours are one. */
static char *words_of(const Job *job)
{
    _cleanup_(freep) char *line = strdup(job->why ?: strerror(-job->error));

    for (char *p = line; p && (p = strchr(p, '\n'));)
        *p = p[1] ? ' ' : 0;
    return line ? str_escape(line, strlen(line)) : NULL;
}

/* --- resume ------------------------------------------------------------------------------------------------------------- */

static void on_resumed(void *userdata, Job *job)
{
    LibvirtVm *l = userdata;

    l->asked = false;
    if (l->state == LIBVIRT_OVER || is_lost(job))
        return;
    if (l->kill_wanted) {
        libvirt_kill_go_on(l);
        return;
    }
    if (job->error < 0) {
        _cleanup_(freep) char *words = words_of(job);
        libvirt_start_failed(l, strf("libvirt could not let the guest go: %s", words));
        return;
    }
    int r = libvirt_step(l, DOMAIN_STEP_RUNNING);
    if (r < 0)
        libvirt_start_failed(l, strf("its checkpoint cannot be written: %s", strerror(-r)));
    else
        libvirt_started(l);
}

void libvirt_start_proceed(LibvirtVm *l)
{
    if (!l->created || l->pidfd < 0 || l->asked)
        return;
    libvirt_deadline(l, USEC_INFINITY, NULL);
    l->proved = true;
    if (l->kill_wanted) {
        libvirt_kill_go_on(l);
        return;
    }
    l->asked = libvirt_call(l, libvirt_job(l, domain_call_resume, DOMAIN_CREATE_TIMEOUT, on_resumed)) >= 0;
}

int libvirt_start_met(LibvirtVm *l, const ProcessId *id)
{
    l->pidfd = safe_close(l->pidfd);
    l->pidfd = process_open(id);
    if (l->pidfd < 0)
        return l->pidfd;
    domain_record_set_process(&l->record, id);
    int r = libvirt_step(l, MAX(l->record.step, DOMAIN_STEP_MET));
    if (r >= 0)
        r = libvirt_watch_process(l);
    if (r < 0)
        libvirt_start_failed(l, strf("its process cannot be recorded: %s", strerror(-r)));
    else if (l->state == LIBVIRT_STARTING)
        libvirt_start_proceed(l);
    else
        libvirt_adopt_proceed(l);
    return r;
}

void libvirt_start_made(LibvirtVm *l)
{
    l->sent = l->created = true;
    libvirt_deadline(l, DOMAIN_MEET_TIMEOUT, on_late);
    libvirt_start_proceed(l);
}

/* --- create --------------------------------------------------------------------------------------------------------------- */

/* The domain has paths; the descriptors prove that these are what they should be. */
static int disks_describe(LibvirtVm *l, DomainDisk disks[VOLUMES_MAX], char *paths[VOLUMES_MAX],
                          char **message)
{
    const RunDefinition *d = l->vm.context->definition;

    for (size_t i = 0; i < d->n_disks && i < VOLUMES_MAX; i++) {
        DiskFile file;
        int r = disk_file_open(l->vm.context, &d->disks[i], l->sent, &file, message);
        if (r < 0)
            return r;
        safe_close(file.fd);
        if (!(paths[i] = run_disk_path(&d->disks[i])))
            return -ENOMEM;
        disks[i] = (DomainDisk){ .id = file.id,
                                 .path = paths[i],
                                 .format = file.format,
                                 .device = file.device,
                                 .read_only = file.read_only,
                                 .scratch = file.scratch };
    }
    return 0;
}

static int xml_build(LibvirtVm *l, const DomainDisk *disks, char **ret)
{
    const RunDefinition *d = l->vm.context->definition;
    const char *images[CONTAINERS_MAX] = { NULL };
    size_t n = MIN(d->n_images, CONTAINERS_MAX);
    TscSample now = tsc_sample();

    for (size_t i = 0; i < n; i++)
        images[i] = run_definition_disk(d, i) == i ? d->images[i].path : NULL;
    DomainInputs inputs = {
        .accelerator = l->record.accelerator,
        .emulator = d->qemu,
        .kernel = d->kernel,
        .initrd = d->initrd,
        .vm_dir = l->path,
        .image_paths = images,
        .n_image_paths = n,
        .disks = disks,
        .n_disks = MIN(d->n_disks, (size_t)VOLUMES_MAX),
    };
    inputs.security_model = l->security_model;
    inputs.session = str_ends_with(l->record.uri, ":///session");
    if (l->record.accelerator == ACCELERATOR_TCG && tsc_is_steady())
        inputs.tsc_khz = tsc_khz(&l->born, &now);
    return domain_xml_build(d, &inputs, ret);
}

static void create(LibvirtVm *l);

/* KVM had failed and `auto` was asked for: begins again with TCG. */
static bool create_again(LibvirtVm *l, const Job *job)
{
    if (l->record.accelerator != ACCELERATOR_KVM || job->error == -EEXIST || l->pidfd >= 0 ||
        l->vm.context->definition->pod.libvirt.accelerator != ACCELERATOR_AUTO)
        return false;
    l->record.accelerator = ACCELERATOR_TCG;
    create(l);
    return l->asked;
}

static void on_created(void *userdata, Job *job)
{
    LibvirtVm *l = userdata;

    l->asked = false;
    if (l->state == LIBVIRT_OVER || is_lost(job))
        return;
    l->created = job->error >= 0;
    if (l->kill_wanted)
        libvirt_kill_go_on(l);
    else if (!l->created && !create_again(l, job)) {
        _cleanup_(freep) char *words = words_of(job);
        libvirt_start_failed(l, job->error == -EEXIST ? strf("%s", words)
                                                      : strf("libvirt could not make the domain: %s", words));
    } else if (l->created) {
        l->record.accelerator = job->facts.kvm ? ACCELERATOR_KVM : ACCELERATOR_TCG;
        start_mark(l->vm.context->start, START_GREETED);
        libvirt_start_made(l);
    }
}

static const char *xml_words(int error)
{
    static const struct {
        int error;
        const char *words;
    } rows[] = {
        { -EINVAL, "one of its texts has bytes that XML has no way to say" },
        { -ENAMETOOLONG, "the path of its sockets is too long" },
        { -ENOTSUP, "it asks for a security label, and libvirt confines no machines on this host" },
        { -EPERM, "libvirt.xml is set, and podvisord.conf does not allow it" },
        { -EBADMSG, "libvirt.xml is refused; see podvisor check" },
    };

    TABLE_FOREACH (row, rows)
        if (row->error == error)
            return row->words;
    return strerror(-error);
}

static int describe(LibvirtVm *l, Job *job, char **message)
{
    DomainDisk disks[VOLUMES_MAX] = { 0 };
    char *paths[VOLUMES_MAX] = { NULL };

    int r = disks_describe(l, disks, paths, message);
    if (r >= 0)
        r = xml_build(l, disks, &job->xml);
    TABLE_FOREACH (path, paths)
        free(*path);
    if (r >= 0 && !(job->name = strdup(l->vm.context->definition->name)))
        r = -ENOMEM;
    if (r < 0 && !*message)
        *message = strf("its domain cannot be described: %s", xml_words(r));
    return r;
}

static void create(LibvirtVm *l)
{
    Job *job = libvirt_job(l, domain_call_create, DOMAIN_CREATE_TIMEOUT, on_created);
    char *message = NULL;

    if (!job || describe(l, job, &message) < 0) {
        job_free(job);
        libvirt_start_failed(l, message ?: strdup(strerror(ENOMEM)));
        return;
    }
    job->flags = VIR_DOMAIN_START_PAUSED;
    /* libvirt passes over what it does not know, and so a misspelt word of the pod's own would be lost in silence. */
    if (l->vm.context->definition->pod.libvirt.xml)
        job->flags |= VIR_DOMAIN_START_VALIDATE;
    l->sent = true;
    start_mark(l->vm.context->start, START_SPAWNED);
    l->asked = libvirt_call(l, job) >= 0;
}

/* --- probe ---------------------------------------------------------------------------------------------------------------- */

/* libvirt opens /dev/kvm, not we; and one that opens may still not run a guest (backends/accelerator.h). */
static int plan_accelerator(LibvirtVm *l, bool kvm, char **message)
{
    Accelerator wanted = l->vm.context->definition->pod.libvirt.accelerator;
    KvmFacts facts = {
        .device = kvm ? 0 : -EOPNOTSUPP,
        .processor = processor_has_flag("vmx") || processor_has_flag("svm"),
    };
    _cleanup_(freep) char *why = NULL;

    int r = accelerator_choose(wanted, &facts, &l->record.accelerator, &why);
    if (r < 0)
        *message = strf("libvirt.accelerator is \"kvm\": %s",
                        kvm ? why : "libvirt cannot run machines by KVM on this host");
    return r;
}

static void on_probed(void *userdata, Job *job)
{
    LibvirtVm *l = userdata;
    char *message = NULL;

    l->asked = false;
    if (l->state != LIBVIRT_STARTING || is_lost(job))
        return;
    if (l->kill_wanted) {
        libvirt_kill_go_on(l);
        return;
    }
    if (job->error < 0) {
        _cleanup_(freep) char *words = words_of(job);
        libvirt_start_failed(l, strf("libvirt does not say what it can do: %s", words));
        return;
    }
    if (job->uid != UINT64_MAX)
        channels_allow(l->channels, (uid_t)job->uid);
    if (plan_accelerator(l, job->kvm, &message) < 0) {
        libvirt_start_failed(l, message);
        return;
    }
    l->security_model = take_ptr(job->security_model);
    l->planned = true;
    create(l);
}

static void probe(LibvirtVm *l)
{
    const RunDefinition *d = l->vm.context->definition;
    Job *job = libvirt_job(l, domain_call_probe, DOMAIN_PROBE_TIMEOUT, on_probed);

    if (job) {
        job->emulator = strdup(d->qemu);
        job->machine = strdup(enum_to_string(&libvirt_machine_table, (int)d->pod.libvirt.machine));
    }
    l->asked = libvirt_call(l, job) >= 0;
}

void libvirt_start_go_on(LibvirtVm *l)
{
    if (l->asked || l->kill_wanted)
        return;
    if (l->created)
        libvirt_start_proceed(l);
    else if (l->planned)
        create(l);
    else
        probe(l);
}

void libvirt_start_away(LibvirtVm *l, int error, const char *why)
{
    l->asked = false;
    if (!l->sent || (l->kill_wanted && l->pidfd < 0 && vmm_is_locked(l->vm.context->vm_dir) == 0))
        libvirt_start_failed(l, strdup(why));
    else if (!l->deadline)
        libvirt_deadline(l, DOMAIN_CREATE_TIMEOUT, on_late);
}

/* --- prepare --------------------------------------------------------------------------------------------------------------- */

/* QEMU, whoever runs it, locks it as it would a disk that it writes to. */
static int lock_make(int vm_dir)
{
    enum { LOCK_MODE = 0666 };

    _cleanup_(closep) int fd = file_open_at(vm_dir, VMM_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, LOCK_MODE);
    if (fd < 0)
        return fd;
    return ftruncate(fd, MACHINE_LOCK_SIZE) < 0 || fchmod(fd, LOCK_MODE) < 0 ? -errno : 0;
}

static int check_file(const BackendContext *c, const char *name, const char *path, const char *what,
                      char **message)
{
    struct stat st;

    _cleanup_(closep) int fd = backend_boot_file_open(c, name, path);
    int r = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) && st.st_size > 0 ? 0 : -EINVAL;
    if (r < 0)
        *message = strf("%s cannot be opened: %s: %s", what, path ?: "no file",
                        r == -EINVAL ? "it is no file with content" : strerror(-r));
    return r;
}

static int check_files(const BackendContext *c, char **message)
{
    const RunDefinition *d = c->definition;

    int r = check_file(c, RUN_KERNEL, d->kernel, "the guest's kernel", message);
    if (r >= 0)
        r = check_file(c, RUN_INITRD, d->initrd, "the guest's initrd", message);
    for (size_t i = 0; i < d->n_images && r >= 0; i++) {
        const RunImage *image = &d->images[i];
        _cleanup_(freep) char *what = strf("the image of container %s", image->container ?: "?");
        const char *digits = image->digest ? str_after(image->digest, "sha256:") : NULL;
        r = check_file(c, digits, image->path, what ?: "an image", message);
    }
    return r;
}

static int prepare(LibvirtVm *l, char **message)
{
    const BackendContext *c = l->vm.context;

    int r = check_files(c, message);
    if (r < 0)
        return r;
    if ((r = lock_make(c->vm_dir)) < 0) {
        *message = strf("its machine lock cannot be made: %s", strerror(-r));
        return r;
    }
    l->record.attempt = c->definition->attempt;
    l->record.started = now_usec(CLOCK_REALTIME);
    l->record.pid = 0;
    if ((r = libvirt_step(l, DOMAIN_STEP_CREATING)) < 0) {
        *message = strf("its checkpoint cannot be written: %s", strerror(-r));
        return r;
    }
    return libvirt_session_begin(l, message);
}

static int on_start(sd_event_source *source, void *userdata)
{
    LibvirtVm *l = userdata;
    char *message = NULL;

    if (l->kill_wanted) {
        libvirt_end(l, END_KILLED, NULL);
        return 0;
    }
    int r = prepare(l, &message);
    if (r < 0)
        libvirt_start_failed(l, message ?: strf("%s", strerror(-r)));
    return 0;
}

int libvirt_start(Vm *vm)
{
    LibvirtVm *l = libvirt_of(vm);

    if (l->state != LIBVIRT_IDLE)
        return -EALREADY;
    int r = vmm_is_locked(vm->context->vm_dir);
    if (r != 0)
        return r > 0 ? -EWOULDBLOCK : r;
    r = libvirt_defer(l, on_start);
    if (r >= 0)
        l->state = LIBVIRT_STARTING;
    return r;
}
