/** What of the evidence a rule is about, behind the slash of its name; every name has exactly one form. */
const SUBJECTS = {
  none: { form: /^$/, example: '' },
  product: { form: /^(Milan|Genoa|Turin)$/, example: '/Genoa' },
  productTcb: { form: /^(Milan|Genoa|Turin)\/0x[0-9a-f]{16}$/, example: '/Genoa/0x1500000000000a04' },
  signer: { form: /^VLEK$/, example: '/VLEK' },
  chip: { form: /^0x[0-9a-f]{128}$/, example: '/0x<64 bytes>' },
  fmspc: { form: /^0x[0-9a-f]{12}$/, example: '/0x<6 bytes>' },
  ppid: { form: /^0x[0-9a-f]{32}$/, example: '/0x<16 bytes>' },
  seamSigner: { form: /^0x[0-9a-f]{96}$/, example: '/0x<48 bytes>' },
  advisory: { form: /^INTEL-SA-[0-9]{5}$/, example: '/INTEL-SA-00837' },
  date: { form: /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/, example: '/2024-03-13' },
  device: { form: /^0x[0-9a-f]{64}$/, example: '/0x<device id>' },
  root: { form: /^0x[0-9a-f]{64}$/, example: '/0x<root hash>' },
  measurement: { form: /^0x[0-9a-f]{64}$/, example: '/0x<measurement>' },
  certificate: { form: /^0x[0-9a-f]{64}\/0x[0-9a-f]{2,40}$/, example: '/0x<issuer hash>/0x<serial>' },
} as const

export type Hardware = 'nitro' | 'nitro-sim' | 'snp' | 'tdx' | 'sgx'
type Kind = {
  hardware: readonly Hardware[]
  subject: keyof typeof SUBJECTS
  /** What a value other than zero does, for voters. */
  means: string
  /**
   * `floor`: asked of evidence when a key is registered or renewed. `denial`: also of receipts issued since, by whoever
   * has the evidence, for a machine stays the one it was. `exception`: lets in what is refused by default, with the reason
   * why it is.
   */
  effect: 'floor' | 'denial' | 'exception'
}

const INTEL = ['tdx', 'sgx'] as const
/** Machines that a GPU can stand in, in confidential mode; AWS gives enclaves none. */
const WITH_GPUS = ['snp', 'tdx', 'nitro-sim'] as const

/** Every kind of rule that TeeRegistry may hold (docs/evidence.md). A name never changes its meaning. */
export const RULE_KINDS = {
  'minimum-tcb': {
    hardware: ['snp'],
    subject: 'product',
    effect: 'floor',
    means: 'each part of the four TCB versions is at least that of this TCB_VERSION',
  },
  'deny-tcb': {
    hardware: ['snp'],
    subject: 'productTcb',
    effect: 'floor',
    means: 'this very TCB_VERSION is refused',
  },
  'deny-chip': { hardware: ['snp'], subject: 'chip', effect: 'denial', means: 'this chip is refused' },
  'require-crl': {
    hardware: ['snp'],
    subject: 'none',
    effect: 'floor',
    means: 'evidence without a revocation list is refused',
  },
  'allow-product': {
    hardware: ['snp'],
    subject: 'product',
    effect: 'exception',
    means: 'this line of chips is accepted, though its chip keys can be extracted in software (Milan)',
  },
  'allow-signer': {
    hardware: ['snp'],
    subject: 'signer',
    effect: 'exception',
    means: 'reports under a key that all machines of a cloud share are accepted: it names no chip',
  },
  'allow-vmpl': {
    hardware: ['snp'],
    subject: 'none',
    effect: 'exception',
    means: 'software of a guest with less privilege, down to this level, may ask for a report',
  },
  'minimum-status': {
    hardware: INTEL,
    subject: 'none',
    effect: 'floor',
    means: 'the worst status accepted: 1 UpToDate, 2 SWHardeningNeeded, 3 ConfigurationNeeded, 4 both',
  },
  'minimum-evaluation': {
    hardware: INTEL,
    subject: 'none',
    effect: 'floor',
    means: 'TCB info and QE identity have at least this evaluation number',
  },
  'minimum-tcb-date': {
    hardware: INTEL,
    subject: 'none',
    effect: 'floor',
    means: 'the TCB level reached is of this time (Unix seconds) or later',
  },
  'deny-tcb-date': {
    hardware: INTEL,
    subject: 'date',
    effect: 'floor',
    means: 'the TCB level of this date is refused',
  },
  'deny-advisory': {
    hardware: INTEL,
    subject: 'advisory',
    effect: 'floor',
    means: 'platforms for which this advisory stands open are refused',
  },
  'deny-fmspc': { hardware: INTEL, subject: 'fmspc', effect: 'denial', means: 'this family is refused' },
  'deny-ppid': { hardware: INTEL, subject: 'ppid', effect: 'denial', means: 'this processor is refused' },
  'allow-out-of-date': {
    hardware: INTEL,
    subject: 'none',
    effect: 'exception',
    means: 'platforms with a published attack against them (OutOfDate) are accepted',
  },
  'allow-migratable': {
    hardware: ['tdx'],
    subject: 'none',
    effect: 'exception',
    means: 'guests are accepted whose memory may move to another machine',
  },
  'allow-sept-ve': {
    hardware: ['tdx'],
    subject: 'none',
    effect: 'exception',
    means: 'guests are accepted that the host may step by page faults',
  },
  'allow-seam-signer': {
    hardware: ['tdx'],
    subject: 'seamSigner',
    effect: 'exception',
    means: 'TDX modules of another signer than Intel are accepted: the module sees all of the guest',
  },
  'deny-certificate': {
    hardware: ['nitro', 'nitro-sim', 'snp', 'tdx'],
    subject: 'certificate',
    effect: 'denial',
    means: "Nitro's chains, and those of GPUs, with this certificate are refused",
  },
  'gpu-root': {
    hardware: WITH_GPUS,
    subject: 'root',
    effect: 'exception',
    means: 'GPUs whose chain ends in this root are believed; without it all are refused',
  },
  'require-gpus': {
    hardware: WITH_GPUS,
    subject: 'measurement',
    effect: 'floor',
    means: 'code of this measurement must show at least so many GPUs, each asked by its enclave',
  },
  'deny-gpu': { hardware: WITH_GPUS, subject: 'device', effect: 'denial', means: 'this GPU is refused' },
} as const satisfies Record<string, Kind>

export type RuleKind = keyof typeof RULE_KINDS

/** Kind and subject of a rule's name; undefined for a name that is none. */
export function readRule(name: string): { kind: RuleKind; subject: string } | undefined {
  const slash = name.indexOf('/')
  const kind = slash === -1 ? name : name.slice(0, slash)
  if (!Object.hasOwn(RULE_KINDS, kind) || slash === name.length - 1) return undefined
  const known = kind as RuleKind
  const subject = slash === -1 ? '' : name.slice(slash + 1)
  return SUBJECTS[RULE_KINDS[known].subject].form.test(subject) ? { kind: known, subject } : undefined
}

/** The kinds for one hardware, as a voter writes them, with what they do. */
export function rulesFor(hardware: string): { name: string; means: string }[] {
  return Object.entries(RULE_KINDS)
    .filter(([, kind]) => (kind.hardware as readonly string[]).includes(hardware))
    .map(([name, { subject, means }]) => ({ name: name + SUBJECTS[subject].example, means }))
}
