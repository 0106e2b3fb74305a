import { readFileSync } from 'node:fs'
import { AssayError, isProviderKeyName, isProviderSecret, type ModelManifest } from '@assay/protocol'
import { dialectOf, engineClassOf, PROVIDERS, type ProviderName, type Target } from './providers.ts'
import { SealedKey } from './sealedKey.ts'
import type { UpstreamEngineParameters } from './startUpstreamEngine.ts'

/** A model that is served through other servers. */
export type UpstreamModel = { manifest: ModelManifest; engine: UpstreamEngineParameters }

const MAX_MODELS = 64
const MAX_TARGETS = 8
const MAX_BETAS = 64
const MAX_IGNORED = 64
const MAX_CONTEXT = 2 ** 24
const DEFAULT_CONCURRENCY = 32
/** Longest name of an engine in a manifest. */
const MAX_ENGINE = 64

/** Finds the key of a target; undefined for none. */
type KeyFinder = (entry: Record<string, unknown>, place: string, provider: ProviderName) => Target['key']

/**
 * Reads the file that names upstream models (docs/upstreams.md): where each is, under which name, and where its key is
 * found. Keys are read here, once: a variable that held one is taken out of the environment, so that no child and no
 * dump of it has the key.
 * @throws AssayError `config`, without any key in it
 */
export function readUpstreams(path: string, env: Record<string, string | undefined>): UpstreamModel[] {
  const used = new Set<string>()
  const sealed = new Map<string, SealedKey>()
  const models = readModels(path, (entry, place, provider) =>
    keyAt(reader(path), entry, place, provider, { env, used, sealed }),
  )
  for (const name of used) delete env[name]
  return models
}

/** Only what the models are: all that whoever publishes them needs. @throws AssayError `config` */
export function readUpstreamManifests(path: string): ModelManifest[] {
  return readModels(path, () => undefined).map(({ manifest }) => manifest)
}

/**
 * Takes the variables that hold keys out of an environment, for whoever starts nodes and other processes beside them: what
 * a gateway inherits is in the hands of the one party that nobody has to trust. @throws AssayError `config`
 */
export function takeUpstreamKeys(
  path: string,
  env: Record<string, string | undefined>,
): Record<string, string> {
  const keys: Record<string, string> = {}
  readModels(path, ({ keyEnv }) => {
    const key = typeof keyEnv === 'string' ? env[keyEnv] : undefined
    if (key !== undefined) keys[keyEnv as string] = key
    return undefined
  })
  for (const name of Object.keys(keys)) delete env[name]
  return keys
}

function readModels(path: string, findKey: KeyFinder): UpstreamModel[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    // Never the words of a parser, which may repeat a key that stands in the file.
    const { code } = cause as NodeJS.ErrnoException
    throw wrong(path, code === undefined ? 'it is no JSON' : `it cannot be read (${code})`)
  }
  const at = reader(path)
  const models = at
    .list(at.object(parsed, 'the file').models, 'models', MAX_MODELS)
    .map((entry, index) => readModel(at, entry, `models[${index}]`, findKey))
  const names = models.map(({ manifest }) => manifest.name)
  if (new Set(names).size < names.length) throw wrong(path, 'two models have the same name')
  return models
}

function readModel(
  at: ReturnType<typeof reader>,
  value: unknown,
  place: string,
  findKey: KeyFinder,
): UpstreamModel {
  const entry = at.object(value, place)
  const known = [
    'name',
    'contextLength',
    'maxOutput',
    'concurrency',
    'license',
    'betas',
    'ignores',
    'targets',
  ]
  at.only(entry, known, place)
  const name = at.text(entry.name, `${place}.name`, 256)
  const contextLength = at.count(entry.contextLength, `${place}.contextLength`, MAX_CONTEXT)
  const maxOutput =
    entry.maxOutput === undefined ? undefined : at.count(entry.maxOutput, `${place}.maxOutput`, contextLength)
  const concurrency =
    entry.concurrency === undefined
      ? DEFAULT_CONCURRENCY
      : at.count(entry.concurrency, `${place}.concurrency`, 1024)
  const license =
    entry.license === undefined ? 'LicenseRef-provider' : at.text(entry.license, `${place}.license`, 64)
  const targets = at
    .list(entry.targets, `${place}.targets`, MAX_TARGETS)
    .map((target, index) => readTarget(at, target, `${place}.targets[${index}]`, findKey))
  const first = targets[0] as Target
  // A receipt names one model: what stands in for it must be the same one, wherever it runs.
  for (const target of targets) {
    const isSame =
      engineClassOf(first.provider) === 1
        ? target.provider === first.provider && target.model === first.model
        : engineClassOf(target.provider) === 2 && dialectOf(target.provider) === dialectOf(first.provider)
    if (!isSame) throw at.fail(`${place}.targets`, 'must all be the same model of the same kind of provider')
  }
  const namesAt = (member: 'betas' | 'ignores', most: number): string[] | undefined =>
    entry[member] === undefined
      ? undefined
      : at
          .list(entry[member], `${place}.${member}`, most)
          .map((name, index) => at.text(name, `${place}.${member}[${index}]`, 128))
  const betas = namesAt('betas', MAX_BETAS)
  if (betas !== undefined && dialectOf(first.provider) !== 'anthropic') {
    throw at.fail(`${place}.betas`, "are for targets of Anthropic's dialect")
  }
  const engine = `upstream:${first.provider}:${first.model}`
  if (engine.length > MAX_ENGINE) throw at.fail(`${place}.targets[0].model`, 'is too long')
  return {
    manifest: {
      name,
      engine,
      files: [],
      contextLength,
      license,
      modes: [engineClassOf(first.provider) === 1 ? 'tee' : 'bonded'],
    },
    engine: {
      contextLength,
      maxOutput,
      targets,
      concurrency,
      betas,
      ignores: namesAt('ignores', MAX_IGNORED),
    },
  }
}

function readTarget(
  at: ReturnType<typeof reader>,
  value: unknown,
  place: string,
  findKey: KeyFinder,
): Target {
  const entry = at.object(value, place)
  at.only(entry, ['provider', 'baseUrl', 'model', 'keyEnv', 'keyFile', 'keyName'], place)
  const provider = at.text(entry.provider, `${place}.provider`, 64)
  if (!Object.hasOwn(PROVIDERS, provider)) {
    throw at.fail(`${place}.provider`, `must be one of ${Object.keys(PROVIDERS).join(', ')}`)
  }
  const { baseUrl: fixed } = PROVIDERS[provider as ProviderName]
  if (fixed !== undefined && entry.baseUrl !== undefined) {
    throw at.fail(`${place}.baseUrl`, `must be left out: the address of ${provider} is known`)
  }
  return {
    provider: provider as ProviderName,
    baseUrl: fixed ?? baseUrlAt(at, entry.baseUrl, `${place}.baseUrl`),
    model: at.text(entry.model, `${place}.model`, 256),
    key: findKey(entry, place, provider as ProviderName),
  }
}

function baseUrlAt(at: ReturnType<typeof reader>, value: unknown, place: string): string {
  const text = at.text(value, place, 512)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '') {
    throw at.fail(
      place,
      'must be an http(s) address without credentials or query, e.g. http://127.0.0.1:8000/v1',
    )
  }
  return text.replace(/\/+$/, '')
}

function keyAt(
  at: ReturnType<typeof reader>,
  entry: Record<string, unknown>,
  place: string,
  provider: ProviderName,
  found: {
    env: Record<string, string | undefined>
    used: Set<string>
    sealed: Map<string, SealedKey>
  },
): Target['key'] {
  const ways = ['keyEnv', 'keyFile', 'keyName'].filter((member) => entry[member] !== undefined)
  if (ways.length > 1) throw at.fail(place, 'must have one of keyEnv, keyFile and keyName')
  if (entry.keyName !== undefined)
    return sealedAt(at, entry.keyName, `${place}.keyName`, provider, found.sealed)
  let key: string | undefined
  if (entry.keyEnv !== undefined) {
    const name = at.text(entry.keyEnv, `${place}.keyEnv`, 128)
    found.used.add(name)
    key = found.env[name]?.trim()
    if (key === undefined || key === '')
      throw at.fail(`${place}.keyEnv`, `names a variable that is not set: ${name}`)
  } else if (entry.keyFile !== undefined) {
    const file = at.text(entry.keyFile, `${place}.keyFile`, 4096)
    try {
      key = readFileSync(file, 'utf8').trim()
    } catch {
      throw at.fail(`${place}.keyFile`, `cannot be read: ${file}`)
    }
  } else if (engineClassOf(provider) === 1) throw at.fail(place, 'needs keyName, keyEnv or keyFile')
  if (key !== undefined && !isProviderSecret(key))
    throw at.fail(place, 'has a key that is not one line of text')
  return key
}

/** A key that the enclave is given while it runs: one for all targets that call it the same. */
function sealedAt(
  at: ReturnType<typeof reader>,
  value: unknown,
  place: string,
  provider: ProviderName,
  sealed: Map<string, SealedKey>,
): SealedKey {
  const name = at.text(value, place, 64)
  if (!isProviderKeyName(name)) throw at.fail(place, 'must be a word in lower case, e.g. anthropic')
  // To an address that the operator chose, over a connection that the host may have certified, nothing stays sealed.
  if (engineClassOf(provider) !== 1) throw at.fail(place, 'is for openai, anthropic, gemini and xai')
  const known = sealed.get(name) ?? new SealedKey(provider, name)
  if (known.provider !== provider)
    throw at.fail(place, `names the key of another provider: ${known.provider}`)
  sealed.set(name, known)
  return known
}

function wrong(path: string, what: string): AssayError {
  return new AssayError('The file of upstream models cannot be used.', {
    code: 'config',
    facts: { file: path, problem: what },
    next: 'Correct the file that ASSAY_UPSTREAMS names; docs/upstreams.md shows one.',
  })
}

function reader(path: string) {
  const fail = (place: string, what: string): AssayError => wrong(path, `${place} ${what}`)
  return {
    fail,
    object(value: unknown, place: string): Record<string, unknown> {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw fail(place, 'must be an object')
      return value as Record<string, unknown>
    },
    list(value: unknown, place: string, most: number): unknown[] {
      if (!Array.isArray(value) || value.length < 1 || value.length > most) {
        throw fail(place, `must be a list of 1 to ${most} entries`)
      }
      return value
    },
    text(value: unknown, place: string, most: number): string {
      if (typeof value !== 'string' || value === '' || value.length > most) {
        throw fail(place, `must be a text of 1 to ${most} characters`)
      }
      return value
    },
    count(value: unknown, place: string, most: number): number {
      if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > most) {
        throw fail(place, `must be a whole number from 1 to ${most}`)
      }
      return value
    },
    only(value: Record<string, unknown>, names: readonly string[], place: string): void {
      const other = Object.keys(value).find((name) => !names.includes(name))
      if (other !== undefined) throw fail(`${place}.${other.slice(0, 64)}`, 'is not known')
    },
  }
}
