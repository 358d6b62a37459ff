/* A stand-in for NVIDIA's libnvidia-ml.so.1, because no GPU is to be had where the unit tests run.
 *
 * It exports NVML's own symbols with NVML's own structures, so that the real pynvml is what is exercised against it.
 * What it answers comes from the text in the environment variable FAKE_NVML, or of the file that it names after an @, which is
 * read anew by every process that asks. One statement a line:
 *
 *   driver VERSION            cuda NUMBER              (13000 is 13.0)
 *   gpu UUID MAJOR MINOR TOTAL FREE MIG ECC MODE NAME  (MIG and ECC: 0, 1, or -1 where the GPU has no such thing)
 *   mig SLOT UUID             a MIG device of the last gpu
 *   compute PID BYTES         a process of the last gpu (BYTES -1: not available), likewise  graphics PID BYTES
 *   migcompute SLOT PID BYTES a process of a MIG device of the last gpu, which the gpu itself lists too
 *   clocks NOW MAX LIMIT DEFAULT REASONS   of every gpu: MHz, milliwatts, bits (without it: not supported)
 *   busy MILLIWATTS CELSIUS  power and temperature of every gpu (without it: not supported)
 *   named PID NAME            what nvmlSystemGetProcessName says; a pid not named is not found
 *   fail FUNCTION CODE        this function returns this error
 *   restrict                  of a gpu with MIG on, memory and processes are told to no one: code 4, no permission
 *   lose INDEX CALLS          this GPU answers so many calls and is lost from then on; it aborts when asked once more
 *   hang FUNCTION             this function never returns, likewise  crash FUNCTION  for a segmentation fault
 *   exit FUNCTION CODE        this function ends the process
 *   print TEXT                nvmlInit prints this on standard output
 *   leave                     nvmlInit leaves a process behind that keeps standard output open
 *   pidfile PATH              nvmlInit writes its pid there, and the pid of the process it leaves behind
 *
 * Compiled with -DOLD it lacks what drivers before 510 lack. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, GPU_IS_LOST = 15 };
enum { GPUS = 8, SLOTS = 7, PROCESSES = 8 };

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int version; unsigned long long total, reserved, free, used; } memory_v2_t;
typedef struct { unsigned int pid; unsigned long long used; unsigned int gpu_instance, compute_instance; } process_t;
typedef struct { unsigned int count; process_t list[PROCESSES]; } processes_t;

typedef struct device {
    char uuid[96], name[96];
    int major, minor, mig, ecc, mode;
    memory_t memory;
    processes_t compute, graphics;
    struct device *slots[SLOTS];
    int calls_left; /* -1: never lost */
    int lost;
} device;

static device gpus[GPUS], mig_devices[GPUS * SLOTS];
static unsigned int gpu_count, mig_count;
static const char *scenario = "";

/* The rest of the first line that begins with "word argument ", or NULL. */
static const char *statement(const char *word, const char *argument)
{
    char start[256];
    size_t length = (size_t)snprintf(start, sizeof start, "%s%s%s ", word, *argument ? " " : "", argument);
    for (const char *line = scenario; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (!strncmp(line, start, length))
            return line + length;
        if (!strncmp(line, start, length - 1) && (line[length - 1] == '\n' || !line[length - 1]))
            return line + length - 1;
    }
    return NULL;
}

static int copy_line(const char *text, char *out, unsigned int size)
{
    unsigned int length = (unsigned int)strcspn(text, "\n");
    if (length >= size)
        return INSUFFICIENT_SIZE;
    memcpy(out, text, length);
    out[length] = 0;
    return SUCCESS;
}

static void load_scenario(void)
{
    scenario = getenv("FAKE_NVML") ? getenv("FAKE_NVML") : "";
    if (*scenario == '@') {
        static char text[65536];
        FILE *file = fopen(scenario + 1, "r");
        text[file ? fread(text, 1, sizeof text - 1, file) : 0] = 0;
        if (file)
            fclose(file);
        scenario = text;
    }
    gpu_count = mig_count = 0;
    memset(gpus, 0, sizeof gpus);
    for (const char *line = scenario; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        device new = {.calls_left = -1}, *last = gpu_count ? &gpus[gpu_count - 1] : NULL;
        process_t process = {0};
        unsigned int slot, index;
        char kind[16];
        long long used;
        int calls;
        if (sscanf(line, "gpu %95s %d %d %llu %llu %d %d %d %95[^\n]", new.uuid, &new.major, &new.minor,
                   &new.memory.total, &new.memory.free, &new.mig, &new.ecc, &new.mode, new.name) == 9) {
            new.memory.used = new.memory.total - new.memory.free;
            gpus[gpu_count++] = new;
        } else if (last && sscanf(line, "mig %u %95s", &slot, mig_devices[mig_count].uuid) == 2) {
            mig_devices[mig_count].calls_left = -1;
            last->slots[slot] = &mig_devices[mig_count++];
        } else if (last && sscanf(line, "%15s %u %lld", kind, &process.pid, &used) == 3
                   && (!strcmp(kind, "compute") || !strcmp(kind, "graphics"))) {
            processes_t *processes = kind[0] == 'c' ? &last->compute : &last->graphics;
            process.used = (unsigned long long)used;
            process.gpu_instance = process.compute_instance = 0xFFFFFFFF;
            processes->list[processes->count++] = process;
        } else if (last && sscanf(line, "migcompute %u %u %lld", &slot, &process.pid, &used) == 3) {
            processes_t *lists[] = {&last->compute, &last->slots[slot]->compute};
            process.used = (unsigned long long)used;
            for (int each = 0; each < 2; each++)
                lists[each]->list[lists[each]->count++] = process;
        } else if (sscanf(line, "lose %u %d", &index, &calls) == 2) {
            gpus[index].calls_left = calls;
        }
    }
}

/* What every function does first: fail, hang, crash or be lost as the scenario has it. */
static int enter(const char *function, device *gpu)
{
    const char *code;
    if (gpu) {
        if (gpu->lost)
            abort();
        if (gpu->calls_left == 0) {
            gpu->lost = 1;
            return GPU_IS_LOST;
        }
        if (gpu->calls_left > 0)
            gpu->calls_left--;
    }
    while (statement("hang", function))
        pause();
    if (statement("crash", function))
        raise(SIGSEGV);
    if ((code = statement("exit", function))) {
        fprintf(stderr, "first line\nthe library gave up\n");
        _exit(atoi(code));
    }
    code = statement("fail", function);
    return code ? atoi(code) : SUCCESS;
}
#define ENTER(gpu)                                  \
    do {                                            \
        int entered = enter(__func__, gpu);         \
        if (entered != SUCCESS)                     \
            return entered;                         \
    } while (0)

static void leave_and_tell(void)
{
    const char *at = statement("pidfile", "");
    char path[4096];
    pid_t left = statement("leave", "") ? fork() : -1;
    while (left == 0)
        pause();
    if (at && copy_line(at, path, sizeof path) == SUCCESS) {
        FILE *file = fopen(path, "w");
        fprintf(file, "%d %d\n", getpid(), left);
        fclose(file);
    }
}

int nvmlInitWithFlags(unsigned int flags)
{
    const char *text;
    (void)flags;
    load_scenario();
    leave_and_tell();
    if ((text = statement("print", "")))
        printf("%.*s\n", (int)strcspn(text, "\n"), text);
    ENTER(NULL);
    return SUCCESS;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void)
{
    ENTER(NULL);
    return SUCCESS;
}

const char *nvmlErrorString(int code)
{
    static char text[64];
    snprintf(text, sizeof text, "Words of the library for %d", code);
    return text;
}

int nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
    ENTER(NULL);
    return copy_line(statement("driver", ""), version, length);
}

int nvmlSystemGetCudaDriverVersion(int *version)
{
    ENTER(NULL);
    *version = atoi(statement("cuda", ""));
    return SUCCESS;
}

int nvmlSystemGetProcessName(unsigned int pid, char *name, unsigned int length)
{
    char number[16];
    const char *text;
    ENTER(NULL);
    snprintf(number, sizeof number, "%u", pid);
    text = statement("named", number);
    return text ? copy_line(text, name, length) : NOT_FOUND;
}

int nvmlDeviceGetCount_v2(unsigned int *count)
{
    ENTER(NULL);
    *count = gpu_count;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, device **handle)
{
    if (index >= gpu_count)
        return INVALID_ARGUMENT;
    ENTER(&gpus[index]);
    *handle = &gpus[index];
    return SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, device **handle)
{
    for (unsigned int index = 0; index < gpu_count; index++)
        if (!strcmp(gpus[index].uuid, uuid)) {
            ENTER(&gpus[index]);
            *handle = &gpus[index];
            return SUCCESS;
        }
    return NOT_FOUND;
}

int nvmlDeviceGetUUID(device *gpu, char *uuid, unsigned int length)
{
    ENTER(gpu);
    return copy_line(gpu->uuid, uuid, length);
}

int nvmlDeviceGetName(device *gpu, char *name, unsigned int length)
{
    ENTER(gpu);
    return copy_line(gpu->name, name, length);
}

int nvmlDeviceGetCudaComputeCapability(device *gpu, int *major, int *minor)
{
    ENTER(gpu);
    *major = gpu->major;
    *minor = gpu->minor;
    return SUCCESS;
}

/* What is told of a whole GPU with MIG on to administrators alone. */
static int restricted(const device *gpu) { return statement("restrict", "") && gpu->mig == 1; }

int nvmlDeviceGetMemoryInfo(device *gpu, memory_t *memory)
{
    ENTER(gpu);
    if (restricted(gpu))
        return NO_PERMISSION;
    *memory = gpu->memory;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(device *gpu, memory_v2_t *memory)
{
    ENTER(gpu);
    memory->total = gpu->memory.total;
    memory->reserved = 0;
    memory->free = gpu->memory.free;
    memory->used = gpu->memory.used;
    return SUCCESS;
}

static int switch_state(int state, unsigned int *current, unsigned int *pending)
{
    if (state < 0)
        return NOT_SUPPORTED;
    *current = (unsigned int)state;
    *pending = !state; /* never what is asked for: only the current state is true now */
    return SUCCESS;
}

int nvmlDeviceGetEccMode(device *gpu, unsigned int *current, unsigned int *pending)
{
    ENTER(gpu);
    return switch_state(gpu->ecc, current, pending);
}

int nvmlDeviceGetComputeMode(device *gpu, unsigned int *mode)
{
    ENTER(gpu);
    *mode = (unsigned int)gpu->mode;
    return SUCCESS;
}

/* The clocks and power limits of every GPU, by their place in the statement. */
static int of_clocks(int place, unsigned long long *value)
{
    unsigned long long values[5];
    const char *text = statement("clocks", "");
    if (!text || sscanf(text, "%llu %llu %llu %llu %llu", values, values + 1, values + 2, values + 3, values + 4) != 5)
        return NOT_SUPPORTED;
    *value = values[place];
    return SUCCESS;
}
#define CLOCKS(place, out)                          \
    do {                                            \
        unsigned long long value;                   \
        ENTER(gpu);                                 \
        int answered = of_clocks(place, &value);    \
        if (answered == SUCCESS)                    \
            *(out) = value;                         \
        return answered;                            \
    } while (0)

int nvmlDeviceGetClockInfo(device *gpu, int kind, unsigned int *clock)
{
    if (kind != 1) /* that of the multiprocessors */
        return INVALID_ARGUMENT;
    CLOCKS(0, clock);
}

int nvmlDeviceGetMaxClockInfo(device *gpu, int kind, unsigned int *clock)
{
    if (kind != 1)
        return INVALID_ARGUMENT;
    CLOCKS(1, clock);
}

int nvmlDeviceGetEnforcedPowerLimit(device *gpu, unsigned int *limit) { CLOCKS(2, limit); }

int nvmlDeviceGetPowerManagementDefaultLimit(device *gpu, unsigned int *limit) { CLOCKS(3, limit); }

static int of_busy(int place, unsigned int *value)
{
    unsigned int values[2];
    const char *text = statement("busy", "");
    if (!text || sscanf(text, "%u %u", values, values + 1) != 2)
        return NOT_SUPPORTED;
    *value = values[place];
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(device *gpu, unsigned int *power)
{
    ENTER(gpu);
    return of_busy(0, power);
}

int nvmlDeviceGetTemperature(device *gpu, int sensor, unsigned int *temperature)
{
    ENTER(gpu);
    return sensor == 0 ? of_busy(1, temperature) : INVALID_ARGUMENT;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(device *gpu, unsigned long long *reasons) { CLOCKS(4, reasons); }

static int copy_processes(const processes_t *from, unsigned int *count, process_t *list)
{
    unsigned int room = *count;
    *count = from->count;
    if (room < from->count)
        return INSUFFICIENT_SIZE;
    memcpy(list, from->list, from->count * sizeof *list);
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v2(device *gpu, unsigned int *count, process_t *list)
{
    ENTER(gpu);
    if (restricted(gpu))
        return NO_PERMISSION;
    return copy_processes(&gpu->compute, count, list);
}

int nvmlDeviceGetGraphicsRunningProcesses_v2(device *gpu, unsigned int *count, process_t *list)
{
    ENTER(gpu);
    if (restricted(gpu))
        return NO_PERMISSION;
    return copy_processes(&gpu->graphics, count, list);
}

#ifndef OLD

int nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    ENTER(NULL);
    *version = atoi(statement("cuda", ""));
    return SUCCESS;
}

int nvmlDeviceGetMigMode(device *gpu, unsigned int *current, unsigned int *pending)
{
    ENTER(gpu);
    return switch_state(gpu->mig, current, pending);
}

int nvmlDeviceGetMaxMigDeviceCount(device *gpu, unsigned int *count)
{
    ENTER(gpu);
    *count = SLOTS;
    return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(device *gpu, unsigned int slot, device **handle)
{
    ENTER(gpu);
    if (slot >= SLOTS || !gpu->slots[slot])
        return NOT_FOUND;
    *handle = gpu->slots[slot];
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(device *gpu, unsigned int *count, process_t *list)
{
    ENTER(gpu);
    if (restricted(gpu))
        return NO_PERMISSION;
    return copy_processes(&gpu->compute, count, list);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(device *gpu, unsigned int *count, process_t *list)
{
    ENTER(gpu);
    if (restricted(gpu))
        return NO_PERMISSION;
    return copy_processes(&gpu->graphics, count, list);
}

#endif
