// node tools/k8s/main.ts [--check]: writes the generated files of k8s/.
import { writeGenerated } from '../generated-files.ts';
import { generated } from './generated.ts';

await writeGenerated(generated, 'npm run k8s');
