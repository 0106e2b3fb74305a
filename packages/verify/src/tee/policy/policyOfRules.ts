import type { Hex } from 'viem'
import { type DcapPolicy, DEFAULT_DCAP_POLICY } from '../dcap/policy.ts'
import { TCB_STATUSES } from '../dcap/tcbStatus.ts'
import { SNP_PRODUCTS, type SnpProduct } from '../snp/product.ts'
import { DEFAULT_SNP_POLICY, type SnpPolicy } from '../snp/snpPolicy.ts'
import { readTcb, tcbOfNumber } from '../snp/tcb.ts'
import { RULE_KINDS, type RuleKind, readRule } from './ruleKinds.ts'

/** Rules of one hardware type as TeeRegistry held them: name → value, zero for the default. */
export type Rules = ReadonlyMap<string, bigint>

/** Subjects of the rules of a kind that are in force. */
export function subjects(rules: Rules, kind: RuleKind): string[] {
  return [...rules].flatMap(([name, value]) => {
    const rule = value === 0n ? undefined : readRule(name)
    return rule?.kind === kind ? [rule.subject] : []
  })
}

const isSet = (rules: Rules, name: string): boolean => (rules.get(name) ?? 0n) !== 0n

/** The policy that these rules make of the default one. */
export function snpPolicyOf(rules: Rules): SnpPolicy {
  const floors = SNP_PRODUCTS.flatMap((product) => {
    const value = rules.get(`minimum-tcb/${product}`) ?? 0n
    return value === 0n ? [] : [[product, readTcb(tcbOfNumber(value), product)] as const]
  })
  const signers = subjects(rules, 'allow-signer') as SnpPolicy['signers']
  return {
    products: [...DEFAULT_SNP_POLICY.products, ...(subjects(rules, 'allow-product') as SnpProduct[])],
    signers: [...DEFAULT_SNP_POLICY.signers, ...signers],
    maxVmpl: Number(rules.get('allow-vmpl') ?? BigInt(DEFAULT_SNP_POLICY.maxVmpl)),
    minimumTcb: Object.fromEntries(floors),
    deniedTcbs: subjects(rules, 'deny-tcb').map((subject) => {
      const [product, tcb] = subject.split('/') as [SnpProduct, Hex]
      return { product, tcb: BigInt(tcb) }
    }),
    deniedChips: subjects(rules, 'deny-chip') as Hex[],
    requireRevocationList: isSet(rules, 'require-crl'),
  }
}

/** The policy that these rules make of the default one. */
export function dcapPolicyOf(rules: Rules): DcapPolicy {
  const wanted = TCB_STATUSES[Number(rules.get('minimum-status') ?? 0n) - 1] ?? 'Revoked'
  const least = DEFAULT_DCAP_POLICY.minimumStatus
  const asked = TCB_STATUSES.indexOf(wanted) < TCB_STATUSES.indexOf(least) ? wanted : least
  return {
    minimumStatus: isSet(rules, 'allow-out-of-date') ? 'OutOfDateConfigurationNeeded' : asked,
    deniedAdvisories: subjects(rules, 'deny-advisory'),
    minimumEvaluationNumber: Number(rules.get('minimum-evaluation') ?? 0n),
    minimumTcbDate: rules.get('minimum-tcb-date') ?? 0n,
    deniedTcbDates: subjects(rules, 'deny-tcb-date'),
    deniedFmspcs: subjects(rules, 'deny-fmspc') as Hex[],
    deniedPpids: subjects(rules, 'deny-ppid') as Hex[],
    allowMigratable: isSet(rules, 'allow-migratable'),
    allowSeptVe: isSet(rules, 'allow-sept-ve'),
    seamSigners: [...DEFAULT_DCAP_POLICY.seamSigners, ...(subjects(rules, 'allow-seam-signer') as Hex[])],
  }
}

/** What these rules accept that is refused by default, in words; most networks have none. */
export function exceptionsOf(rules: Rules): string[] {
  return [...rules].flatMap(([name, value]) => {
    const kind = value === 0n ? undefined : readRule(name)?.kind
    return kind !== undefined && RULE_KINDS[kind].effect === 'exception' ? [RULE_KINDS[kind].means] : []
  })
}
