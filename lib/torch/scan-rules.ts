/** Why the scanner refuses what a file names, for people. Only the reader's list decides. */

export interface ScanRuleText {
  /** What a finding of the rule says, in a few words */
  title: string;
  /** What it means, and what to do */
  help: string;
  /** GitHub's scale of severity, from 0 to 10 */
  severity: number;
}

const DO_NOT_LOAD = "Do not load the file in Python, or only with weights_only=True.";

/** The id of a reason for a finding. doc/scanner.md describes each. */
export type ScanRule =
  | "runs-command"
  | "runs-code"
  | "fetches-code"
  | "native-code"
  | "imports-code"
  | "builds-calls"
  | "unpickles"
  | "uses-network"
  | "touches-files"
  | "torch-code"
  | "program-function"
  | "foreign-code"
  | "unusual-call"
  | "torchscript"
  | "ambiguous"
  | "damaged"
  | "not-read";

/** The rules by id, in the order of SARIF's `rules`. */
export const SCAN_RULES: Record<ScanRule, ScanRuleText> = {
  "runs-command": {
    title: "A file runs a command",
    help: `Loading the file may run a program of the system. ${DO_NOT_LOAD}`,
    severity: 9.8,
  },
  "runs-code": {
    title: "A file runs code",
    help: `Loading the file may run Python code that the file holds. ${DO_NOT_LOAD}`,
    severity: 9.8,
  },
  "fetches-code": {
    title: "A file fetches code",
    help: `Loading the file may download code and run it. ${DO_NOT_LOAD}`,
    severity: 9.8,
  },
  "native-code": {
    title: "A file calls native code",
    help: `Loading the file may load a library or call its functions. ${DO_NOT_LOAD}`,
    severity: 9.8,
  },
  "imports-code": {
    title: "A file imports modules by name",
    help: `Loading the file may import any module, which runs it. ${DO_NOT_LOAD}`,
    severity: 9,
  },
  "builds-calls": {
    title: "A file reaches functions indirectly",
    help:
      "The named function calls others, or finds them by name. Attacks use a chain of such " +
      `functions so that no dangerous name appears. ${DO_NOT_LOAD}`,
    severity: 8.8,
  },
  unpickles: {
    title: "A file unpickles more data",
    help: `The data within may name code of any kind. ${DO_NOT_LOAD}`,
    severity: 8.8,
  },
  "uses-network": {
    title: "A file uses the network",
    help: `Loading the file may connect to other machines. ${DO_NOT_LOAD}`,
    severity: 8.1,
  },
  "touches-files": {
    title: "A file reads or changes files",
    help: `Loading the file may read, write or delete files, or change its process. ${DO_NOT_LOAD}`,
    severity: 8.1,
  },
  "torch-code": {
    title: "A file calls a function of PyTorch or numpy that is not for data",
    help:
      "torch.load refuses the name with weights_only=True. If you trust the file's maker, save " +
      "its state dict to a new file.",
    severity: 6.5,
  },
  "program-function": {
    title: "A file calls a function of the program",
    help:
      "The program's own files name none but one Enum. A function, such as the one that deletes " +
      `a model, would be called. ${DO_NOT_LOAD}`,
    severity: 7.5,
  },
  "foreign-code": {
    title: "A file needs the code of another program",
    help:
      "Python imports the module and calls the class or function. What it does depends on the " +
      "installed program. If you trust the file's maker, save the state dict to a new file.",
    severity: 6.5,
  },
  "unusual-call": {
    title: "A file uses a known name for something else",
    help:
      "The pickle calls a known function with arguments that no writer gives it, names code by a " +
      `number, or calls the result of a call. ${DO_NOT_LOAD}`,
    severity: 8.8,
  },
  torchscript: {
    title: "A file is a TorchScript program",
    help: "torch.load and torch.jit.load run parts of the program. Use a state dict instead.",
    severity: 6.5,
  },
  ambiguous: {
    title: "Readers may find different contents in a file",
    help:
      "PyTorch, or one of its versions, may read another content than this scanner. Writers make " +
      `no such files. ${DO_NOT_LOAD}`,
    severity: 7.5,
  },
  damaged: {
    title: "A file is damaged",
    help:
      "The scanner can't read the file to its end. Python executes a pickle as it reads, so a " +
      "file that fails later may have run code before. Fetch the file again.",
    severity: 5,
  },
  "not-read": {
    title: "A file was not judged",
    help:
      "The scanner can't look into the file. Unpack it, fetch it, or make it readable, and scan " +
      "again.",
    severity: 4,
  },
};

interface Reason {
  rule: ScanRule;
  /** Follows the name: "posix.system runs a shell command" */
  does: string;
}

/** Names, or beginnings of names that end with a dot; the longest one that fits counts. */
const REASONS: [rule: ScanRule, does: string, names: string][] = [
  [
    "runs-command",
    "runs a shell command",
    "os.system os.popen posix.system posix.popen nt.system nt.popen os.popen2 os.popen3 " +
      "os.popen4 commands. popen2. subprocess.getoutput subprocess.getstatusoutput " +
      "asyncio.create_subprocess_shell torch.utils.collect_env. platform.popen pydoc.pipepager pydoc.tempfilepager",
  ],
  [
    "runs-command",
    "runs a program",
    "subprocess. _posixsubprocess. pty. os.exec os.spawn os.posix_spawn os.fork os.startfile " +
      "posix.exec posix.spawn posix.posix_spawn posix.fork nt.exec nt.spawn nt.startfile " +
      "asyncio.subprocess. asyncio.create_subprocess_exec asyncio.unix_events. " +
      "asyncio.base_subprocess. asyncio.windows_utils. distutils.spawn. pexpect. " +
      "multiprocessing. webbrowser. idlelib. antigravity. venv. sh. plumbum. invoke. fabric.",
  ],
  ["fetches-code", "fetches code and runs it", "torch.hub. transformers.dynamic_module_utils."],
  ["fetches-code", "installs packages", "pip. ensurepip. setuptools. easy_install. conda."],
  [
    "runs-code",
    "runs code",
    "builtins.eval builtins.exec builtins.compile builtins.execfile builtins.breakpoint " +
      "__builtin__.eval __builtin__.exec __builtin__.compile __builtin__.execfile " +
      "__builtin__.input runpy. _pyrepl. code. codeop. timeit. cProfile. profile. " +
      "_lsprof. pdb. bdb. trace. doctest. lib2to3. sched. test.support. torch.utils.bottleneck. " +
      "torch.fx. torch._inductor. torch._dynamo.guards. " +
      "torch.jit.unsupported_tensor_ops. numpy.testing. numpy.f2py. numpy.distutils. pandas.eval " +
      "pandas.core.computation. sympy. IPython. _testcapi. logging.config. " +
      "types.FunctionType types.CodeType new.function new.code",
  ],
  ["native-code", "loads or calls native code", "ctypes. _ctypes. cffi. _cffi_backend."],
  ["native-code", "loads or calls native code", "torch.ops. torch.classes. torch._C. torch._ops."],
  ["native-code", "compiles native code and loads it", "torch.utils.cpp_extension."],
  [
    "imports-code",
    "imports a module by its name",
    "importlib. _frozen_importlib. _frozen_importlib_external. builtins.__import__ " +
      "__builtin__.__import__ __builtin__.reload imp. _imp. pkgutil. zipimport. pydoc. site. " +
      "xml.sax.make_parser",
  ],
  [
    "builds-calls",
    "reaches other functions, so that their names do not appear",
    "builtins. __builtin__. operator. _operator. functools. _functools. types. copyreg. " +
      "copy_reg. itertools. inspect. gc. sys. weakref. codecs. _codecs. collections. typing. " +
      "threading. _thread. concurrent. atexit. signal. asyncio.",
  ],
  [
    "unpickles",
    "unpickles more data, which may name any code",
    "pickle. _pickle. cPickle. marshal. shelve. dill. cloudpickle. joblib. sklearn.externals." +
      "joblib. torch.load torch.storage._load_from_bytes torch.serialization. torch.package. " +
      "torch.jit.load torch.utils._config_module. torch.distributed.rpc. " +
      "numpy.load numpy.lib.npyio. numpy.lib.format. pandas.read_pickle pandas.io.pickle. " +
      "yaml. jsonpickle. multiprocessing.reduction.",
  ],
  [
    "uses-network",
    "uses the network",
    "socket. _socket. socketserver. ssl. _ssl. urllib. urllib2. urllib3. http. httplib. ftplib. " +
      "smtplib. poplib. imaplib. telnetlib. nntplib. xmlrpc. xmlrpclib. requests. httpx. " +
      "aiohttp. paramiko. websocket. websockets. wsgiref. huggingface_hub.",
  ],
  [
    "touches-files",
    "reads or changes files or the process",
    "os. posix. nt. posixpath. ntpath. builtins.open builtins.input __builtin__.open " +
      "__builtin__.file io. _io. shutil. pathlib. tempfile. glob. fileinput. linecache. zipfile. " +
      "tarfile. sqlite3. dbm. mmap. fcntl. resource. faulthandler. torch.save torch.from_file " +
      "numpy.save numpy.savez numpy.savetxt numpy.fromfile numpy.loadtxt numpy.genfromtxt " +
      "numpy.DataSource logging. configparser. winreg. _winreg.",
  ],
  ["torch-code", "is code of PyTorch, which weights_only=True refuses", "torch."],
  ["torch-code", "is code of numpy, which weights_only=True refuses", "numpy."],
];

const BY_NAME = new Map<string, Reason>(
  REASONS.flatMap(([rule, does, names]) =>
    names.split(" ").map((name): [string, Reason] => [name, { rule, does }]),
  ),
);

/** Families whose members differ in their last letters: os.execv, os.spawnlp, … */
const FAMILY = /^((?:os|posix|nt)\.(?:exec|spawn|posix_spawn|fork))[a-z_]*$/;

/** Modules that attacks reach as an attribute of another one: "torch.serialization.os.system". */
const REACHED =
  /\.((?:os|posix|nt|sys|subprocess|builtins|__builtins__|importlib|shutil|socket|ctypes|pickle|runpy|pty|code)\..+)$/;

function direct(name: string): Reason | undefined {
  const exact = BY_NAME.get(name) ?? BY_NAME.get(FAMILY.exec(name)?.[1] ?? "");
  if (exact) return exact;
  for (let dot = name.lastIndexOf("."); dot > 0; dot = name.lastIndexOf(".", dot - 1)) {
    const found = BY_NAME.get(name.slice(0, dot + 1)) ?? BY_NAME.get(name.slice(0, dot));
    if (found) return found;
  }
  return undefined;
}

/**
 * Why a global is refused.
 *
 * @param name "module.name"
 * @param isProgram whether it is of the Python program
 */
export function reasonFor(name: string, isProgram: boolean): Reason {
  const reached = REACHED.exec(name)?.[1]?.replace(/^__builtins__/, "builtins");
  const indirect = reached === undefined ? undefined : direct(reached);
  if (indirect) return indirect;
  if (isProgram) return PROGRAM;
  return direct(name) ?? FOREIGN;
}

const PROGRAM: Reason = {
  rule: "program-function",
  does: "may be a function of the program, which Python would call",
};
const FOREIGN: Reason = {
  rule: "foreign-code",
  does: "is a class or function of another program, which Python imports and calls",
};
