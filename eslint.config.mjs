import tseslint from 'typescript-eslint';

/** Sizes that a reader can hold; blank lines and comments are free. */
export const SIZES = {
  'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
  'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
  'max-params': ['error', { max: 5 }],
};

/** What may break a size: `{ file, rule, why }`. A test refuses an entry that is no longer needed. */
export const EXCEPTIONS = [];

const off = (...rules) => Object.fromEntries(rules.map((rule) => [rule, 'off']));

export default tseslint.config(
  {
    ignores: ['**/dist/', '**/node_modules/', '**/.ipynb_checkpoints/', 'jupyter/share/*extensions/', 'test/hostile/'],
  },
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'no-console': ['error', { allow: ['log', 'error', 'warn'] }],
      ...SIZES,
    },
  },
  {
    // Shape signs in `expectShape` prove what the compiler cannot see.
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { project: 'tsconfig.lint.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  {
    // A chapter imports NotWritten for its released form, where the exercises throw it.
    files: ['solutions/*.ts'],
    rules: { '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^NotWritten$' }] },
  },
  {
    // A chapter is one page, and its checks are one list: both are read beside each other, exercise by exercise.
    files: ['solutions/*.ts', 'grader/chapters/{checks,hidden}/*.ts'],
    rules: off('max-lines'),
  },
  {
    // The library's door is one list of names, by rooms.
    files: ['lib/index.ts'],
    rules: off('max-lines'),
  },
  {
    // A suite is one function that holds a list of tests.
    files: ['test/**'],
    rules: off('max-lines', 'max-lines-per-function'),
  },
  ...EXCEPTIONS.map(({ file, rule }) => ({ files: [file], rules: off(rule) })),
);
