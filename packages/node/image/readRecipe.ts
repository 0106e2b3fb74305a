/** What a Dockerfile says that decides the image's bytes. */
export type Recipe = {
  /** Image named by FROM, with its ARG put in. */
  base: string
  /** COPY lines out of the commit, relative to the working directory. */
  copies: { from: string; to: string }[]
  /** COPY lines out of another build context. */
  contexts: string[]
  /** Arguments of `npm ci`. */
  install: string[]
  runs: string[]
  user: string | undefined
  entrypoint: string[]
}

/** Reads the few instructions that our Dockerfile uses. @throws Error at any other */
export function readRecipe(text: string): Recipe {
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const args = new Map<string, string>()
  const recipe: Recipe = {
    ...{ base: '', copies: [], contexts: [], install: [], runs: [], user: undefined, entrypoint: [] },
  }
  for (const line of lines) {
    const [instruction = '', ...words] = line.split(/\s+/)
    const rest = line.slice(instruction.length).trim()
    switch (instruction) {
      case 'ARG': {
        const [name = '', value = ''] = rest.split(/=(.*)/s)
        args.set(name, value)
        break
      }
      case 'FROM':
        if (recipe.base !== '') throw new Error('more than one FROM')
        recipe.base = rest.replace(/\$\{(\w+)\}/, (_, name: string) => args.get(name) ?? '')
        break
      case 'COPY': {
        const [first = ''] = words
        if (first.startsWith('--from=')) recipe.contexts.push(first.slice('--from='.length))
        else {
          const to = (words.at(-1) as string).replace(/^\.\//, '')
          const many = words.length > 2
          for (const from of words.slice(0, -1)) {
            recipe.copies.push({ from, to: many ? `${to}${from}` : to })
          }
        }
        break
      }
      case 'RUN':
        recipe.runs.push(rest)
        recipe.install = /npm (ci [^&]*?)\s*(&&|$)/.exec(rest)?.[1]?.split(/\s+/) ?? recipe.install
        break
      case 'USER':
        recipe.user = rest
        break
      case 'ENTRYPOINT':
        recipe.entrypoint = JSON.parse(rest) as string[]
        break
      case 'ENV':
      case 'EXPOSE':
      case 'WORKDIR':
        break
      default:
        throw new Error(`unknown instruction ${instruction}`)
    }
  }
  return recipe
}
