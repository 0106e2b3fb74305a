/**
 * Where the `parse` helpers of OpenAI's clients leave what they made of a text or of arguments. It comes back from whoever
 * sends such an answer as it was, and says nothing that the text beside it does not.
 */
export const PARSED = ['parsed', 'parsed_arguments'] as const
