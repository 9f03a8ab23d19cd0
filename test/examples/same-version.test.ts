import { describePicker } from 'evenkeel/testing';
import { describe, it } from 'vitest';
import { sameVersion } from '../../examples/pickers/same-version.js';

describePicker('same-version', sameVersion('v2'), { describe, it });
